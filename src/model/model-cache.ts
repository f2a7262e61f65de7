import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "./disk-error.js";
import { isComplete, type Manifest, readManifest } from "./manifest.js";
import { bytesOfBlocks } from "./sparse/blocks.js";
import { type RangeMap, readRangeMap } from "./sparse/range-map.js";

/** A model in the cache of this machine. */
export interface CachedModel {
  readonly id: string;
  readonly spec: string;
  readonly directory: string;
  /** First file; `null` while incomplete. */
  readonly path: string | null;
  /** On the disk, also while incomplete. */
  readonly bytes: number;
  /** Of the whole model; `null` while nobody has said it. */
  readonly total: number | null;
  readonly completedAt: string | null;
}

export interface CacheEntry {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly complete: boolean;
  readonly bytes: number;
  readonly total: number | null;
  /** Files of which some blocks are here, by name. */
  readonly partial: ReadonlyMap<string, RangeMap>;
}

/** Each model has a directory, named after it and its key (its spec, say), so that two files of one name do not meet. */
export function modelDirectory(modelsDir: string, id: string, key: string): string {
  const hash = createHash("sha256").update(key).digest("hex").slice(0, 12);
  return join(modelsDir, `${id.slice(0, 80)}-${hash}`);
}

export async function readEntry(directory: string): Promise<CacheEntry | null> {
  const manifest = await readManifest(directory);
  if (manifest === null) return null;
  const complete = await isComplete(directory, manifest);
  const names = await readdir(directory);
  const partial = complete ? new Map<string, RangeMap>() : await rangeMaps(directory, names);
  const files = names.filter((name) => !name.endsWith(".json") && !name.endsWith(".next") && !partial.has(name));
  const whole = await Promise.all(files.map((name) => sizeOf(join(directory, name))));
  const parts = [...partial.values()].map(({ hashes, bytes }) => bytesOfBlocks(hashes.keys(), bytes));
  const bytes = [...whole, ...parts].reduce((sum, size) => sum + size, 0);
  return { directory, manifest, complete, bytes, total: totalOf(manifest, complete, partial), partial };
}

/** Of a model of which nothing has come, nothing is kept. The caller holds the lock of the directory. */
export async function dropEmptyEntry(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  if (names.every((name) => name === "manifest.json")) await rm(directory, { recursive: true, force: true });
}

async function rangeMaps(directory: string, names: readonly string[]): Promise<ReadonlyMap<string, RangeMap>> {
  const maps = new Map<string, RangeMap>();
  for (const name of names) {
    const map = names.includes(`${name}.ranges.json`) ? await readRangeMap(join(directory, name)) : null;
    if (map !== null) maps.set(name, map);
  }
  return maps;
}

/** A part may get its final name meanwhile. */
function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function totalOf(
  { files, source }: Manifest,
  complete: boolean,
  partial: ReadonlyMap<string, RangeMap>,
): number | null {
  if (complete) return files.reduce((sum, file) => sum + file.bytes, 0);
  const known = source?.files.map(({ bytes, name }) => bytes ?? partial.get(name)?.bytes ?? null);
  const sizes = known ?? [...partial.values()].map(({ bytes }) => bytes);
  if (sizes.length === 0) return null;
  return sizes.reduce<number | null>((sum, size) => (sum === null || size === null ? null : sum + size), 0);
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

export function describeEntry({ directory, manifest, complete, bytes, total }: CacheEntry): CachedModel {
  const [first] = manifest.files;
  return {
    id: manifest.id,
    spec: manifest.spec,
    directory,
    path: complete && first !== undefined ? join(directory, first.name) : null,
    bytes,
    total,
    completedAt: complete ? manifest.completedAt : null,
  };
}
