import { BLOCK_BYTES, type ByteRange } from "./blocks.js";

export interface Block {
  readonly block: number;
  readonly data: Buffer;
}

/**
 * Cuts a stream of the bytes of a range, which begins with a block, into blocks. Each is given as soon as it is whole;
 * throws when more comes than the range has.
 */
export async function* cutIntoBlocks(
  stream: AsyncIterable<Uint8Array>,
  range: ByteRange,
  onBytes: (count: number) => void,
): AsyncGenerator<Block, void, undefined> {
  let at = range.begin;
  let buffer = nextBuffer(at, range.end);
  let filled = 0;
  for await (const chunk of stream) {
    onBytes(chunk.length);
    for (let from = 0; from < chunk.length; ) {
      if (buffer.length === 0) throw new Error("more bytes came than were asked for");
      const count = Math.min(chunk.length - from, buffer.length - filled);
      buffer.set(chunk.subarray(from, from + count), filled);
      filled += count;
      from += count;
      if (filled < buffer.length) continue;
      yield { block: at / BLOCK_BYTES, data: buffer };
      at += filled;
      buffer = nextBuffer(at, range.end);
      filled = 0;
    }
  }
  if (at < range.end) throw new Error("the stream ended early");
}

function nextBuffer(at: number, end: number): Buffer {
  return Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - at));
}
