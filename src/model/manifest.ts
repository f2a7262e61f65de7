import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { diskError } from "./disk-error.js";
import { pinnedSourceSchema } from "./pinned-source.js";

/** What the cache knows of one model; `manifest.json` in the model's directory. */
const schema = z.object({
  /** Where it came from, in canonical spelling. */
  spec: z.string(),
  id: z.string(),
  /** Other specs by which it was asked for, e.g. without the revision. */
  aliases: z.array(z.string()).default([]),
  /** The exact files at the hub; `null` for models that come otherwise. */
  source: pinnedSourceSchema.nullable().default(null),
  /** ISO time at which it became complete; `null` while it is not. */
  completedAt: z.string().nullable(),
  /** In order, beside the manifest. Empty while incomplete, also when parts of them are here (`….ranges.json`). */
  files: z.array(
    z.object({
      name: z.string().regex(/^[A-Za-z0-9._-]+$/),
      bytes: z.number().int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

export type Manifest = z.infer<typeof schema>;
export type StoredFile = Manifest["files"][number];

function manifestPath(directory: string): string {
  return join(directory, "manifest.json");
}

/** `null` when there is none that can be read. */
export async function readManifest(directory: string): Promise<Manifest | null> {
  try {
    return schema.parse(JSON.parse(await readFile(manifestPath(directory), "utf8")));
  } catch {
    return null;
  }
}

/** Replaces the manifest in one step, so that a reader sees the old or the new one. */
export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const next = `${manifestPath(directory)}.next`;
  try {
    await writeFile(next, JSON.stringify(manifest, null, 2));
    await rename(next, manifestPath(directory));
  } catch (thrown) {
    throw diskError(thrown, next) ?? thrown;
  }
}

/** Whether every file is there in its right size. Content is for `verify` to check. */
export async function isComplete(directory: string, manifest: Manifest): Promise<boolean> {
  if (manifest.completedAt === null || manifest.files.length === 0) return false;
  return (await wrongFiles(directory, manifest)).length === 0;
}

/** Files that are not there, or not in their right size. */
export async function wrongFiles(directory: string, manifest: Manifest): Promise<readonly StoredFile[]> {
  const sizeOf = ({ name }: StoredFile): Promise<number> =>
    stat(join(directory, name)).then(
      ({ size }) => size,
      () => -1,
    );
  const sizes = await Promise.all(manifest.files.map(sizeOf));
  return manifest.files.filter(({ bytes }, index) => sizes[index] !== bytes);
}
