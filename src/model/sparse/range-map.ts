import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { BLOCK_BYTES, blockCount, runsOf } from "./blocks.js";

const HASH_BYTES = 32;

/** `<file>.ranges.json`: which blocks of a file are here, with their sha256. Absent or damaged: none. */
const schema = z.object({
  format: z.literal(1),
  blockBytes: z.literal(BLOCK_BYTES),
  /** Of the whole file. */
  bytes: z.number().int().positive(),
  /** Which content it is: `sha256:…` of the whole, else `etag:…` as the server says it, else `null`. */
  version: z.string().max(1024).nullable(),
  /** The GGUF header, once it is here whole. */
  header: z.object({ bytes: z.number().int().positive(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }).nullable(),
  /** Hashes one after the other, base64. */
  runs: z.array(z.object({ first: z.number().int().nonnegative(), hashes: z.base64() })),
});

/** Which content a file has. */
export interface FileIdentity {
  readonly bytes: number;
  readonly version: string | null;
}

export interface HeaderMark {
  readonly bytes: number;
  readonly sha256: string;
}

export interface RangeMap extends FileIdentity {
  readonly header: HeaderMark | null;
  /** By block. */
  readonly hashes: ReadonlyMap<number, Buffer>;
}

export function rangeMapPath(path: string): string {
  return `${path}.ranges.json`;
}

/** `null` when there is none that can be used. */
export async function readRangeMap(path: string): Promise<RangeMap | null> {
  try {
    const { bytes, version, header, runs } = schema.parse(JSON.parse(await readFile(rangeMapPath(path), "utf8")));
    const hashes = new Map<number, Buffer>();
    for (const run of runs) {
      const all = Buffer.from(run.hashes, "base64");
      const count = all.length / HASH_BYTES;
      if (!Number.isInteger(count) || run.first + count > blockCount(bytes)) return null;
      for (let i = 0; i < count; i++) hashes.set(run.first + i, all.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
    }
    return { bytes, version, header, hashes };
  } catch {
    return null;
  }
}

/** Replaces the map in one step. What it tells of must be on the disk already. */
export async function writeRangeMap(path: string, { bytes, version, header, hashes }: RangeMap): Promise<void> {
  const runs = runsOf([...hashes.keys()].sort((a, b) => a - b)).map(({ first, count }) => {
    const all = Array.from({ length: count }, (_, index) => hashes.get(first + index) ?? Buffer.alloc(HASH_BYTES));
    return { first, hashes: Buffer.concat(all).toString("base64") };
  });
  const next = `${rangeMapPath(path)}.next`;
  const text = JSON.stringify({ format: 1, blockBytes: BLOCK_BYTES, bytes, version, header, runs });
  // Its content has to be on the disk before its name is, or a crash leaves an empty map.
  await writeFile(next, text, { flush: true });
  await rename(next, rangeMapPath(path));
}

export async function removeRangeMap(path: string): Promise<void> {
  await rm(rangeMapPath(path), { force: true });
}
