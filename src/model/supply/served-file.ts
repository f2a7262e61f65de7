import { createHash } from "node:crypto";
import { type FileHandle, open, stat } from "node:fs/promises";
import { ExoError } from "../../core/errors.js";
import { BLOCK_BYTES, type BlockRun, blockCount, blockRange, blocksIn, runsOf } from "../sparse/blocks.js";
import { headerMark } from "../sparse/model-hash.js";
import type { HeaderMark, RangeMap } from "../sparse/range-map.js";
import type { OfferedFile } from "../sparse/range-source.js";
import { sha256 } from "../sparse/sparse-file.js";

/** A file that peers may read, whole or in part. */
export class ServedFile {
  readonly path: string;
  readonly offer: OfferedFile;
  /** Of the model in the cache that it belongs to; `null`: a file of its owner's. */
  readonly spec: string | null;
  /** Of which only some blocks are here, each with its hash. */
  readonly isPart: boolean;
  readonly #present: Set<number>;
  readonly #hashes: Map<number, Buffer>;

  private constructor(
    path: string,
    offer: OfferedFile,
    hashes: ReadonlyMap<number, Buffer>,
    { spec, isPart }: { readonly spec: string | null; readonly isPart: boolean },
  ) {
    this.path = path;
    this.offer = offer;
    this.spec = spec;
    this.isPart = isPart;
    this.#present = new Set(blocksIn(offer.runs));
    this.#hashes = new Map(hashes);
  }

  /** A file that is here whole. @param sha256 of its content, where that was checked */
  static async whole(path: string, sha256: string | null, spec: string | null): Promise<ServedFile> {
    const { size, mtimeMs } = await stat(path);
    const runs = [{ first: 0, count: blockCount(size) }];
    const version = sha256 === null ? null : `sha256:${sha256}`;
    const offer = { id: idOf(path, size, mtimeMs), bytes: size, version, header: await headerMark(path), runs };
    return new ServedFile(path, offer, new Map(), { spec, isPart: false });
  }

  static part(path: string, { bytes, version, hashes }: RangeMap, header: HeaderMark, spec: string): ServedFile {
    const runs = runsOf([...hashes.keys()].sort((a, b) => a - b));
    const offer = { id: idOf(path, bytes, 0), bytes, version, header, runs };
    return new ServedFile(path, offer, hashes, { spec, isPart: true });
  }

  /** The sha256 of each of these blocks, read from the disk where it is not known. */
  async hashes({ first, count }: BlockRun, signal: AbortSignal): Promise<readonly Buffer[]> {
    if (first + count > blockCount(this.offer.bytes)) {
      throw new ExoError(
        "invalid_argument",
        `Blocks [${first}, ${first + count}) are not all in a file of ${this.offer.bytes} bytes.`,
      );
    }
    const blocks = Array.from({ length: count }, (_, index) => first + index);
    this.requirePresent(first * BLOCK_BYTES, blockRange(first + count - 1, this.offer.bytes).end);
    const unknown = blocks.filter((block) => !this.#hashes.has(block));
    if (unknown.length > 0) {
      await this.#reading(async (file) => {
        for (const block of unknown) {
          if (signal.aborted) throw new ExoError("cancelled", "The peer does not want the hashes any more.");
          this.#hashes.set(block, await this.#hash(file, block));
        }
      });
    }
    return blocks.map((block) => this.#hashes.get(block) ?? Buffer.alloc(0));
  }

  /**
   * Reads these blocks again, and keeps from peers what is not any more what it was, or cannot be read; says whether there
   * is such a one.
   */
  async isDamaged({ first, count }: BlockRun, signal: AbortSignal): Promise<boolean> {
    this.requirePresent(first * BLOCK_BYTES, blockRange(first + count - 1, this.offer.bytes).end);
    const wrong: number[] = [];
    await this.#reading(async (file) => {
      for (let block = first; block < first + count && !signal.aborted; block++) {
        const now = await this.#hash(file, block).catch(() => null);
        const before = this.#hashes.get(block) ?? now;
        if (now === null || before?.equals(now) !== true) wrong.push(block);
      }
    });
    for (const block of wrong) {
      this.#present.delete(block);
      this.#hashes.delete(block);
    }
    return wrong.length > 0;
  }

  async *read(begin: number, end: number, pieceBytes: number): AsyncGenerator<Buffer, void, undefined> {
    this.requirePresent(begin, end);
    const file = await open(this.path, "r");
    try {
      for (let at = begin; at < end; at += pieceBytes) {
        yield await readExactly(file, at, Math.min(end, at + pieceBytes), this.path);
      }
    } finally {
      await file.close();
    }
  }

  /** Refuses what is outside the file, or not here. */
  requirePresent(begin: number, end: number): void {
    const { bytes } = this.offer;
    const isRange =
      Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin >= 0 && begin < end && end <= bytes;
    if (!isRange) {
      throw new ExoError("invalid_argument", `[${begin}, ${end}) is no range of a file of ${bytes} bytes.`);
    }
    for (let block = Math.floor(begin / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      if (!this.#present.has(block)) throw new ExoError("model_not_found", `Block ${block} of the file is not here.`);
    }
  }

  async #hash(file: FileHandle, block: number): Promise<Buffer> {
    const { begin, end } = blockRange(block, this.offer.bytes);
    return sha256(await readExactly(file, begin, end, this.path));
  }

  async #reading(work: (file: FileHandle) => Promise<void>): Promise<void> {
    const file = await open(this.path, "r");
    try {
      await work(file);
    } finally {
      await file.close();
    }
  }
}

/** Means nothing to a peer, and is the same as long as the file is. */
function idOf(path: string, bytes: number, mtimeMs: number): string {
  return createHash("sha256").update(`${path}\0${bytes}\0${mtimeMs}`).digest("hex").slice(0, 32);
}

async function readExactly(file: FileHandle, begin: number, end: number, path: string): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - begin);
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, begin + done);
    if (bytesRead === 0) throw new ExoError("model_not_found", `${path} became shorter while it was read.`);
    done += bytesRead;
  }
  return buffer;
}
