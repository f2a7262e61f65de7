import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { diskError } from "../disk-error.js";
import type { DownloadIo } from "../download-io.js";
import { BLOCK_BYTES, blockCount, blockRange, bytesOfBlocks } from "./blocks.js";
import { type FileIdentity, type HeaderMark, readRangeMap, removeRangeMap, writeRangeMap } from "./range-map.js";

/** The map is written when so many blocks have come, or so much time has passed: what a crash loses is fetched again. */
const SAVE_EVERY_BLOCKS = 64;
const SAVE_EVERY_MS = 1000;

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** A file of its full length on the disk, of which some blocks are here and the rest are holes that take no room. */
export class SparseFile {
  readonly path: string;
  readonly identity: FileIdentity;
  readonly #file: FileHandle;
  readonly #io: DownloadIo;
  readonly #hashes: Map<number, Buffer>;
  #header: HeaderMark | null;
  #unsaved = 0;
  /** Several connections write at once, and the map is one file. */
  #saving: Promise<void> = Promise.resolve();
  #savedAt: number;

  private constructor(
    path: string,
    identity: FileIdentity,
    file: FileHandle,
    io: DownloadIo,
    known: { readonly hashes: ReadonlyMap<number, Buffer>; readonly header: HeaderMark | null },
  ) {
    this.path = path;
    this.identity = identity;
    this.#file = file;
    this.#io = io;
    this.#hashes = new Map(known.hashes);
    this.#header = known.header;
    this.#savedAt = io.clock.monotonic();
  }

  /** Goes on with what is here of this content, else begins anew. The caller holds the lock of the model's directory. */
  static async open(path: string, identity: FileIdentity, io: DownloadIo): Promise<SparseFile> {
    const map = await readRangeMap(path);
    const same = map !== null && map.bytes === identity.bytes && map.version === identity.version;
    if (same && (await sizeOf(path)) === identity.bytes) {
      return new SparseFile(path, identity, await open(path, "r+"), io, map);
    }
    await SparseFile.discard(path);
    return new SparseFile(path, identity, await create(path, identity.bytes), io, { hashes: new Map(), header: null });
  }

  /** A process that has mapped the file keeps what it has: the name goes, not the content. */
  static async discard(path: string): Promise<void> {
    await removeRangeMap(path);
    await rm(path, { force: true });
  }

  get header(): HeaderMark | null {
    return this.#header;
  }

  get complete(): boolean {
    return this.#hashes.size === blockCount(this.identity.bytes);
  }

  /** Bytes that are here. */
  get bytesHere(): number {
    return bytesOfBlocks(this.#hashes.keys(), this.identity.bytes);
  }

  blocks(): readonly number[] {
    return [...this.#hashes.keys()].sort((a, b) => a - b);
  }

  hashOf(block: number): Buffer | null {
    return this.#hashes.get(block) ?? null;
  }

  missing(blocks: readonly number[]): readonly number[] {
    return blocks.filter((block) => !this.#hashes.has(block));
  }

  setHeader(header: HeaderMark): void {
    this.#header = header;
    this.#unsaved += 1;
  }

  /** Keeps a block whose hash was found right. Throws `disk_full` when it cannot be written. */
  async write(block: number, data: Uint8Array, hash: Buffer): Promise<void> {
    try {
      await this.#io.write(this.#file, data, block * BLOCK_BYTES);
    } catch (thrown) {
      throw diskError(thrown, this.path) ?? thrown;
    }
    this.#hashes.set(block, hash);
    this.#unsaved += 1;
    const isTime = this.#io.clock.monotonic() - this.#savedAt >= SAVE_EVERY_MS;
    if (this.#unsaved >= SAVE_EVERY_BLOCKS || isTime) await this.save();
  }

  /** From here on these count as missing. */
  forget(blocks: Iterable<number>): void {
    for (const block of blocks) if (this.#hashes.delete(block)) this.#unsaved += 1;
  }

  async read(begin: number, end: number): Promise<Buffer> {
    const buffer = Buffer.alloc(end - begin);
    let done = 0;
    while (done < buffer.length) {
      const { bytesRead } = await this.#file.read(buffer, done, buffer.length - done, begin + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  /** Blocks that are not any more what came, or cannot be read. */
  async damaged(
    signal: AbortSignal,
    onBytes: (count: number) => void,
    blocks: readonly number[] = this.blocks(),
  ): Promise<readonly number[]> {
    const wrong: number[] = [];
    for (const block of blocks) {
      signal.throwIfAborted();
      const { begin, end } = blockRange(block, this.identity.bytes);
      const data = await this.read(begin, end).catch(() => Buffer.alloc(0));
      if (!sha256(data).equals(this.#hashes.get(block) ?? Buffer.alloc(0))) wrong.push(block);
      onBytes(end - begin);
    }
    return wrong;
  }

  /** The blocks come to the disk before the map that tells of them does. */
  save(): Promise<void> {
    const saved = this.#saving.then(() => this.#save());
    this.#saving = saved.catch(() => {});
    return saved;
  }

  async #save(): Promise<void> {
    if (this.#unsaved === 0) return;
    this.#unsaved = 0;
    this.#savedAt = this.#io.clock.monotonic();
    // Other connections write on meanwhile; what they bring is not on the disk yet.
    const map = { ...this.identity, header: this.#header, hashes: new Map(this.#hashes) };
    try {
      await this.#file.datasync();
      await writeRangeMap(this.path, map);
    } catch (thrown) {
      throw diskError(thrown, this.path) ?? thrown;
    }
  }

  async close(): Promise<void> {
    try {
      await this.save();
    } finally {
      await this.#file.close();
    }
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

async function create(path: string, bytes: number): Promise<FileHandle> {
  try {
    const file = await open(path, "w+");
    // NTFS would write zeros up to the last byte; the other systems' files have holes by themselves.
    if (process.platform === "win32") await promisify(execFile)("fsutil", ["sparse", "setflag", path]).catch(() => {});
    await file.truncate(bytes);
    return file;
  } catch (thrown) {
    throw diskError(thrown, path) ?? thrown;
  }
}
