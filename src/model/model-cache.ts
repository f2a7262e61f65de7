import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
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
  readonly bytes: number;
  readonly completedAt: string | null;
}

export interface CacheEntry {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly complete: boolean;
}

/** Each model has a directory, named after it and its spec, so that two files of one name do not meet. */
export function modelDirectory(modelsDir: string, spec: RemoteSpec): string {
  const hash = createHash("sha256").update(formatModelSpec(spec)).digest("hex").slice(0, 12);
  return join(modelsDir, `${modelIdOf(spec).slice(0, 80)}-${hash}`);
}

export async function readEntry(directory: string): Promise<CacheEntry | null> {
  const manifest = await readManifest(directory);
  return manifest === null ? null : { directory, manifest, complete: await isComplete(directory, manifest) };
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

export function describeEntry({ directory, manifest, complete }: CacheEntry): CachedModel {
  const [first] = manifest.files;
  return {
    id: manifest.id,
    spec: manifest.spec,
    directory,
    path: complete && first !== undefined ? join(directory, first.name) : null,
    bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0),
    completedAt: complete ? manifest.completedAt : null,
  };
}
