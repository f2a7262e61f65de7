import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "a sha256 in lower-case hex");

const lockSchema = z.strictObject({
  /** Version of the npm package that carries the release bundle and names the prebuilt packages. */
  nodeLlamaCpp: z.string(),
  llamaCpp: z.strictObject({
    repository: z.string(),
    tag: z.string(),
    commit: z.string().regex(/^[0-9a-f]{40}$/, "a full commit id"),
    /** Path of the git bundle inside the npm package. */
    bundle: z.string(),
    bundleSha256: sha256,
  }),
  /** sha256 of every library used, by platform package. A platform not listed is checked by its release alone. */
  prebuilt: z.record(z.string(), z.record(z.string(), sha256)),
});

/** What is vendored: one llama.cpp release, and the prebuilt libraries that belong to it. */
export type LlamaLock = z.infer<typeof lockSchema>;

export async function readLock(root: string): Promise<LlamaLock> {
  const path = join(root, "vendor", "llama.lock.json");
  return lockSchema.parse(JSON.parse(await readFile(path, "utf8")));
}
