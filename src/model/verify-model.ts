import { join } from "node:path";
import { ExoError } from "../core/errors.js";
import type { DownloadIo } from "./download-io.js";
import { hashFile } from "./file-hash.js";
import { withFileLock } from "./file-lock.js";
import type { CacheEntry } from "./model-cache.js";
import { type ProgressListener, ProgressMeter } from "./progress.js";
import { bytesOfBlocks } from "./sparse/blocks.js";
import { SparseFile } from "./sparse/sparse-file.js";

/** What a check of a cached model found. */
export interface VerifyResult {
  readonly id: string;
  /** What is here is what was fetched; of a model in parts, too. */
  readonly ok: boolean;
  readonly files: readonly { readonly name: string; readonly expected: string; readonly actual: string | null }[];
  /** Of a model of which parts are here. Damaged blocks do not count as here any more: they are fetched again. */
  readonly parts?: readonly { readonly name: string; readonly blocks: number; readonly damaged: readonly number[] }[];
}

interface VerifyOptions {
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

/** Reads every byte that is here again. */
export function verifyEntry(entry: CacheEntry, options: VerifyOptions, io: DownloadIo): Promise<VerifyResult> {
  return entry.partial.size === 0 ? verifyFiles(entry, options, io) : verifyParts(entry, options, io);
}

async function verifyFiles(
  { manifest, directory }: CacheEntry,
  { signal, onProgress }: VerifyOptions,
  io: DownloadIo,
): Promise<VerifyResult> {
  const sizes = manifest.files.map(({ bytes }) => bytes);
  const meter = new ProgressMeter(io.clock, sizes, onProgress);
  const files = [];
  for (const [index, { name: file, sha256 }] of manifest.files.entries()) {
    const onBytes = (count: number): void => meter.add(index, count, "verifying");
    const hashed = hashFile(join(directory, file), "sha256", "hex", { signal, onBytes });
    const actual = await hashed.catch((thrown: unknown) => {
      if (signal.aborted) throw thrown;
      // Missing or unreadable, which is a finding like any other.
      return null;
    });
    files.push({ name: file, expected: sha256, actual });
  }
  meter.report("verifying");
  const ok = manifest.completedAt !== null && files.every(({ expected, actual }) => expected === actual);
  return { id: manifest.id, ok, files };
}

async function verifyParts(
  { manifest, directory, partial }: CacheEntry,
  { signal, onProgress }: VerifyOptions,
  io: DownloadIo,
): Promise<VerifyResult> {
  const maps = [...partial];
  const meter = new ProgressMeter(
    io.clock,
    maps.map(([, { hashes, bytes }]) => bytesOfBlocks(hashes.keys(), bytes)),
    onProgress,
  );
  const lock = { signal, sleep: io.sleep, onWait: async () => {} };
  const parts = await withFileLock(directory, lock, async (locked) => {
    const found = [];
    for (const [index, [name, map]] of maps.entries()) {
      found.push(
        await verifyPart(join(directory, name), name, map, io, locked, (count) => meter.add(index, count, "verifying")),
      );
    }
    return found;
  });
  meter.report("verifying");
  return { id: manifest.id, ok: parts.every(({ damaged }) => damaged.length === 0), files: [], parts };
}

async function verifyPart(
  path: string,
  name: string,
  identity: { readonly bytes: number; readonly version: string | null },
  io: DownloadIo,
  signal: AbortSignal,
  onBytes: (count: number) => void,
) {
  const file = await SparseFile.open(path, identity, io);
  try {
    const blocks = file.blocks().length;
    const damaged = await file.damaged(signal, onBytes);
    file.forget(damaged);
    return { name, blocks, damaged };
  } catch (thrown) {
    if (signal.aborted) throw new ExoError("cancelled", `Checking ${path} was cancelled.`, { cause: thrown });
    throw thrown;
  } finally {
    await file.close();
  }
}
