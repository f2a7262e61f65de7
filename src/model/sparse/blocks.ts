/**
 * Files are held, hashed and exchanged in blocks of this size, counted from the file's first byte; the last one is
 * shorter. Small, so that little is fetched beside what a part needs; large enough that hashes are few.
 */
export const BLOCK_BYTES = 2 ** 20;

/** Half-open byte range `[begin, end)` of a file. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** Blocks `[first, first + count)`. */
export interface BlockRun {
  readonly first: number;
  readonly count: number;
}

export function blockCount(fileBytes: number): number {
  return Math.ceil(fileBytes / BLOCK_BYTES);
}

export function blockRange(block: number, fileBytes: number): ByteRange {
  return { begin: block * BLOCK_BYTES, end: Math.min(fileBytes, (block + 1) * BLOCK_BYTES) };
}

/** Bytes of these blocks of a file. */
export function bytesOfBlocks(blocks: Iterable<number>, fileBytes: number): number {
  let bytes = 0;
  for (const block of blocks) {
    const { begin, end } = blockRange(block, fileBytes);
    bytes += end - begin;
  }
  return bytes;
}

/** Every block that one of the ranges touches, in order. */
export function blocksOf(ranges: readonly ByteRange[]): readonly number[] {
  const blocks = new Set<number>();
  for (const { begin, end } of ranges) {
    for (let block = Math.floor(begin / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) blocks.add(block);
  }
  return [...blocks].sort((a, b) => a - b);
}

/** Blocks in order, as runs. */
export function runsOf(blocks: readonly number[]): readonly BlockRun[] {
  const runs: { first: number; count: number }[] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === block) last.count += 1;
    else runs.push({ first: block, count: 1 });
  }
  return runs;
}

export function blocksIn(runs: readonly BlockRun[]): Set<number> {
  const blocks = new Set<number>();
  for (const { first, count } of runs) for (let block = first; block < first + count; block++) blocks.add(block);
  return blocks;
}

export function blocksOfRun({ first, count }: BlockRun): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
