import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "./disk-error.js";
import { isComplete, type Manifest, readManifest } from "./manifest.js";
import type { RemoteSpec } from "./remote-source.js";
import { formatModelSpec, modelIdOf } from "./spec.js";

/** A model in the cache of this machine. */
export interface CachedModel {
  readonly id: string;
  readonly spec: string;
  readonly directory: string;
  /** First file; `null` while incomplete. */
  readonly path: string | null;
  /** On the disk, also while incomplete. */
  readonly bytes: number;
  readonly completedAt: string | null;
}

export interface CacheEntry {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly complete: boolean;
  readonly bytes: number;
}

/** Each model has a directory, named after it and its spec, so that two files of one name do not meet. */
export function modelDirectory(modelsDir: string, spec: RemoteSpec): string {
  const hash = createHash("sha256").update(formatModelSpec(spec)).digest("hex").slice(0, 12);
  return join(modelsDir, `${modelIdOf(spec).slice(0, 80)}-${hash}`);
}

export async function readEntry(directory: string): Promise<CacheEntry | null> {
  const manifest = await readManifest(directory);
  if (manifest === null) return null;
  return { directory, manifest, complete: await isComplete(directory, manifest), bytes: await modelBytes(directory) };
}

/** Bytes of everything in a model's directory but what describes it. */
async function modelBytes(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => !name.endsWith(".json"));
  // A part may get its final name meanwhile.
  const sizes = names.map((name) =>
    stat(join(directory, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Every model in the cache, sorted by id, half-fetched ones too. */
export async function readCache(modelsDir: string): Promise<readonly CacheEntry[]> {
  const names = await readdir(modelsDir).catch((thrown: unknown) => {
    if (isMissing(thrown)) return [];
    throw thrown;
  });
  const entries = await Promise.all(names.sort().map((name) => readEntry(join(modelsDir, name))));
  return entries.filter((entry) => entry !== null);
}

export function describeEntry({ directory, manifest, complete, bytes }: CacheEntry): CachedModel {
  const [first] = manifest.files;
  return {
    id: manifest.id,
    spec: manifest.spec,
    directory,
    path: complete && first !== undefined ? join(directory, first.name) : null,
    bytes,
    completedAt: complete ? manifest.completedAt : null,
  };
}
