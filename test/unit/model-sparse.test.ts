import assert from "node:assert/strict";
import { type FileHandle, mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { systemDownloadIo } from "../../src/model/download-io.js";
import { parseGgufHeader } from "../../src/model/gguf-header.js";
import { RateLimiter } from "../../src/model/rate-limit.js";
import { cutIntoBlocks } from "../../src/model/sparse/block-stream.js";
import { BLOCK_BYTES, blocksIn, blocksOf, bytesOfBlocks, runsOf } from "../../src/model/sparse/blocks.js";
import { CheckedBlocks } from "../../src/model/sparse/checked-blocks.js";
import { partRanges } from "../../src/model/sparse/part-ranges.js";
import { rangeMapPath, readRangeMap } from "../../src/model/sparse/range-map.js";
import { SparseFile, sha256 } from "../../src/model/sparse/sparse-file.js";
import { layeredModel } from "../support/layered-gguf.js";
import { ggufFile, type TensorSpec, TINY_METADATA, TINY_TENSORS } from "./model-gguf-builder.js";

const neverAborted = new AbortController().signal;

describe("blocks", () => {
  test("runs are the blocks again", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(2000)), (blocks) => {
        const sorted = [...blocks].sort((a, b) => a - b);
        assert.deepEqual([...blocksIn(runsOf(sorted))], sorted);
      }),
    );
  });

  test("hold every byte of the ranges, and no block too many", () => {
    const range = fc.tuple(fc.nat(50 * BLOCK_BYTES), fc.integer({ min: 1, max: 5 * BLOCK_BYTES }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (pairs) => {
        const ranges = pairs.map(([begin, bytes]) => ({ begin, end: begin + bytes }));
        const blocks = blocksOf(ranges);
        for (const { begin, end } of ranges) {
          assert.ok(
            blocks.includes(Math.floor(begin / BLOCK_BYTES)) && blocks.includes(Math.floor((end - 1) / BLOCK_BYTES)),
          );
        }
        for (const block of blocks) {
          assert.ok(ranges.some(({ begin, end }) => begin < (block + 1) * BLOCK_BYTES && end > block * BLOCK_BYTES));
        }
      }),
    );
  });

  test("the last one is shorter", () => {
    assert.equal(bytesOfBlocks([0, 1, 2], 2 * BLOCK_BYTES + 5), 2 * BLOCK_BYTES + 5);
  });
});

describe("a stream of bytes", () => {
  async function cut(pieces: readonly number[], begin: number, end: number): Promise<number[]> {
    async function* stream() {
      for (const length of pieces) yield new Uint8Array(length);
    }
    const blocks: number[] = [];
    for await (const { block, data } of cutIntoBlocks(stream(), { begin, end }, () => {}))
      blocks.push(block, data.length);
    return blocks;
  }

  test("is cut into blocks, however it comes", async () => {
    assert.deepEqual(await cut([10, BLOCK_BYTES, 5], BLOCK_BYTES, 2 * BLOCK_BYTES + 15), [1, BLOCK_BYTES, 2, 15]);
    assert.deepEqual(await cut([3 * BLOCK_BYTES], 0, 3 * BLOCK_BYTES), [
      0,
      BLOCK_BYTES,
      1,
      BLOCK_BYTES,
      2,
      BLOCK_BYTES,
    ]);
  });

  test("too short or too long is refused", async () => {
    await assert.rejects(cut([5], 0, 10), /ended early/);
    await assert.rejects(cut([11], 0, 10), /more bytes/);
  });
});

describe("what a part of a model needs", () => {
  const shared: TensorSpec = { name: "rope_freqs.weight", dimensions: [4] };
  const tensors = [...TINY_TENSORS.filter(({ name }) => name !== shared.name), shared];
  const needed = (
    metadata: object,
    begin: number,
    end: number,
    ends: boolean,
    more: readonly TensorSpec[] = [],
  ): string[] => {
    const all = [...tensors, ...more];
    const file = ggufFile({ ...TINY_METADATA, ...metadata }, all);
    const header = parseGgufHeader(file, file.length, "x");
    const part = { begin, end, hasEmbedding: ends, hasOutput: ends };
    const ranges = partRanges(header, file.length, part, { layerCount: 2, tiedEmbedding: false });
    assert.equal(ranges[0]?.begin, 0, "the header");
    const inside = ({ offset, bytes }: { offset: number; bytes: number }): boolean =>
      ranges.some((range) => range.begin <= offset && offset + bytes <= range.end);
    return header.tensors.filter(inside).map(({ name }) => name);
  };

  test("a middle part: its layers and what all share", () => {
    assert.deepEqual(needed({}, 1, 2, false), ["blk.1.attn_q.weight", "rope_freqs.weight"]);
  });

  test("the head: its layers and both ends", () => {
    assert.deepEqual(needed({}, 0, 1, true), [
      "token_embd.weight",
      "output_norm.weight",
      "output.weight",
      "blk.0.attn_q.weight",
      "blk.0.ffn_up.weight",
      "rope_freqs.weight",
    ]);
  });

  test("a table that layers look things up in is in every part", () => {
    const table: TensorSpec = { name: "per_layer_token_embd.weight", dimensions: [8, 3] };
    assert.ok(!needed({}, 1, 2, false, [table]).includes(table.name));
    assert.ok(needed({ "llama.ple.layers": [1] }, 1, 2, false, [table]).includes(table.name));
  });

  test("the whole: every byte", () => {
    const file = ggufFile(TINY_METADATA, tensors);
    const part = { begin: 0, end: 2, hasEmbedding: true, hasOutput: true };
    const header = parseGgufHeader(file, file.length, "x");
    assert.deepEqual(partRanges(header, file.length, part, { layerCount: 2, tiedEmbedding: false }), [
      { begin: 0, end: file.length },
    ]);
  });

  test("parts of a ring need little beside their share", () => {
    const model = layeredModel({ layers: 8, layerBytes: 4 * BLOCK_BYTES, endBytes: BLOCK_BYTES });
    const header = parseGgufHeader(model.subarray(0, BLOCK_BYTES), model.length, "x");
    const part = { begin: 2, end: 4, hasEmbedding: false, hasOutput: false };
    const blocks = blocksOf(partRanges(header, model.length, part, { layerCount: 8, tiedEmbedding: false }));
    assert.ok(blocks.length <= 2 * 4 + 2, `${blocks.length} blocks`);
  });
});

describe("a sparse file", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "exo-sparse-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const identity = { bytes: 5 * BLOCK_BYTES + 7, version: "etag:a" };
  const data = (byte: number, length = BLOCK_BYTES): Buffer => Buffer.alloc(length, byte);

  async function filled(name: string): Promise<string> {
    const path = join(folder, name);
    const file = await SparseFile.open(path, identity, systemDownloadIo);
    await file.write(1, data(1), sha256(data(1)));
    await file.write(5, data(5, 7), sha256(data(5, 7)));
    file.setHeader({ bytes: 10, sha256: "0".repeat(64) });
    await file.close();
    return path;
  }

  test("has its full length, and remembers what is here", async () => {
    const path = await filled("a");
    const { size, blocks } = await stat(path);
    assert.equal(size, identity.bytes);
    assert.ok(blocks * 512 <= 2 * BLOCK_BYTES, `${blocks * 512} bytes on the disk`);
    const again = await SparseFile.open(path, identity, systemDownloadIo);
    assert.deepEqual(again.blocks(), [1, 5]);
    assert.equal(again.bytesHere, BLOCK_BYTES + 7);
    assert.deepEqual(again.missing([0, 1, 2]), [0, 2]);
    assert.equal(again.header?.bytes, 10);
    assert.equal(again.complete, false);
    await again.close();
  });

  test("of other content begins anew, and whoever has the old one open keeps it", async () => {
    const path = await filled("b");
    const old = await SparseFile.open(path, identity, systemDownloadIo);
    const other = await SparseFile.open(path, { ...identity, version: "etag:b" }, systemDownloadIo);
    assert.deepEqual(other.blocks(), []);
    assert.deepEqual(await old.read(BLOCK_BYTES, BLOCK_BYTES + 2), Buffer.from([1, 1]));
    await other.close();
    await old.close();
  });

  test("a damaged map counts as none; a cut file too", async () => {
    for (const damage of [
      async (path: string) => writeFile(rangeMapPath(path), "{"),
      async (path: string) =>
        writeFile(rangeMapPath(path), (await readFile(rangeMapPath(path), "utf8")).replace(/"first":5/, '"first":6')),
      async (path: string) => writeFile(path, "short"),
    ]) {
      const path = await filled("c");
      await damage(path);
      const file = await SparseFile.open(path, identity, systemDownloadIo);
      assert.deepEqual(file.blocks(), []);
      await file.close();
    }
  });

  test("finds damaged blocks, and forgets them", async () => {
    const path = await filled("d");
    const bytes = await readFile(path);
    bytes[BLOCK_BYTES + 9] = 0;
    await writeFile(path, bytes);
    const file = await SparseFile.open(path, identity, systemDownloadIo);
    assert.deepEqual(await file.damaged(neverAborted, () => {}), [1]);
    file.forget([1]);
    await file.close();
    assert.deepEqual([...((await readRangeMap(path))?.hashes.keys() ?? [])], [5]);
  });

  test("only what was on the disk before is told of in the map, and the map is there before its name is", async (context) => {
    const path = join(folder, "f");
    const file = await SparseFile.open(path, identity, systemDownloadIo);
    const handle = await open(path, "r");
    const prototype: FileHandle = Object.getPrototypeOf(handle);
    await handle.close();
    // A connection brings another block while the first ones are being brought to the disk.
    context.mock.method(prototype, "datasync", async () => {
      if (file.hashOf(2) === null) await file.write(2, data(2), sha256(data(2)));
    });
    const synced: string[] = [];
    context.mock.method(prototype, "sync", async () => {
      synced.push(await readFile(`${rangeMapPath(path)}.next`, "utf8"));
    });
    await file.write(1, data(1), sha256(data(1)));
    await file.save();
    assert.deepEqual([...((await readRangeMap(path))?.hashes.keys() ?? [])], [1]);
    assert.deepEqual(synced, [await readFile(rangeMapPath(path), "utf8")]);
    await file.close();
    assert.deepEqual([...((await readRangeMap(path))?.hashes.keys() ?? [])], [1, 2]);
  });

  test("blocks are compared with their hashes once, and again when the file has changed", async (context) => {
    const path = await filled("g");
    const file = await SparseFile.open(path, identity, systemDownloadIo);
    const checked = new CheckedBlocks();
    const read = context.mock.method(file, "read");
    const found = async () => [await checked.damaged(file, [0, 1, 5], neverAborted), read.mock.callCount()];
    assert.deepEqual(await found(), [[], 2]);
    assert.deepEqual(await found(), [[], 2], "nothing is read again");
    await checked.whileWriting(file, [2], () => file.write(2, data(2), sha256(data(2))));
    assert.deepEqual(await checked.damaged(file, [1, 2, 5], neverAborted), [], "what this process wrote is known");
    assert.equal(read.mock.callCount(), 2);
    const bytes = await readFile(path);
    bytes[5 * BLOCK_BYTES] = 0;
    await writeFile(path, bytes);
    assert.deepEqual(await found(), [[5], 4]);
    assert.deepEqual(await found(), [[5], 5], "only the damaged one is read again");
    await assert.rejects(checked.damaged(file, [5], AbortSignal.abort()), { code: "cancelled" });
    await file.close();
  });

  test("a full disk is said, and what was there before stays", async () => {
    const path = await filled("e");
    const full = { ...systemDownloadIo, write: () => Promise.reject(Object.assign(new Error(), { code: "ENOSPC" })) };
    const file = await SparseFile.open(path, identity, full);
    await assert.rejects(file.write(2, data(2), sha256(data(2))), { code: "disk_full" });
    await file.close();
    assert.deepEqual([...((await readRangeMap(path))?.hashes.keys() ?? [])], [1, 5]);
  });
});

describe("a rate limit", () => {
  function limiter(rate: number | null) {
    const state = { now: 0, slept: 0 };
    const io = {
      clock: { monotonic: () => state.now, wall: () => state.now },
      sleep: async (milliseconds: number) => {
        state.now += milliseconds;
        state.slept += milliseconds;
      },
    };
    return { state, limiter: new RateLimiter(rate, io) };
  }

  test("spreads bytes over time, for all who share it", async () => {
    const { limiter: shared, state } = limiter(1000);
    for (let i = 0; i < 5; i++) await shared.take(500, neverAborted);
    assert.equal(state.now, 2000, "the fifth may begin when the first four are paid for");
    await Promise.all([shared.take(100, neverAborted), shared.take(100, neverAborted)]);
    assert.ok(state.now >= 2600);
  });

  test("none lets everything through, and an abort ends the wait", async () => {
    const none = limiter(null);
    await none.limiter.take(1e12, neverAborted);
    assert.equal(none.state.slept, 0);
    const slow = limiter(1);
    await slow.limiter.take(1000, neverAborted);
    await slow.limiter.take(1, AbortSignal.abort());
    assert.equal(slow.state.slept, 0);
  });

  test("whoever waits long is heard of", async () => {
    const { limiter: slow } = limiter(1);
    let heard = 0;
    await slow.take(10, neverAborted);
    await slow.take(1, neverAborted, () => {
      heard += 1;
    });
    assert.ok(heard >= 10);
  });
});
