import assert from "node:assert/strict";
import { mkdtemp, open, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { RateLimiter } from "../../src/model/rate-limit.js";
import { BLOCK_BYTES } from "../../src/model/sparse/blocks.js";
import { sha256 } from "../../src/model/sparse/sparse-file.js";
import { MOST_BYTES_READ, ServedModels } from "../../src/model/supply/served-models.js";
import { tinyModel } from "./model-gguf-builder.js";

const MODEL = tinyModel(2 * BLOCK_BYTES);
const never = new AbortController().signal;

let folder = "";
let path = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "exo-served-"));
  path = join(folder, "own.gguf");
  await writeFile(path, MODEL);
});
after(() => rm(folder, { recursive: true, force: true }));

/** Serves one file by its path, at a rate of a clock that only waiting moves. */
function serving(bytesPerSecond: number | null = null) {
  const state = { now: 0 };
  const io = {
    clock: { monotonic: () => state.now, wall: () => state.now },
    sleep: async (milliseconds: number) => {
      state.now += milliseconds;
    },
  };
  const store = {
    cached: async () => null,
    servesPath: (asked: string) => asked === path,
    verify: () => Promise.reject(new Error("Nothing is in the cache.")),
  };
  return { state, served: new ServedModels({ store, limiter: new RateLimiter(bytesPerSecond, io) }) };
}

async function readAll(served: ServedModels, id: string, begin: number, end: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of served.read(id, begin, end, never)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("what peers may read", () => {
  test("is any range of a file that was offered, with the right hashes", async () => {
    const { served } = serving();
    const [file] = await served.offer(path);
    assert.ok(file !== undefined);
    assert.equal(file.bytes, MODEL.length);
    assert.ok((await readAll(served, file.id, 1000, BLOCK_BYTES + 7)).equals(MODEL.subarray(1000, BLOCK_BYTES + 7)));
    const hashes = await served.hashes(file.id, { first: 1, count: 1 }, never);
    assert.deepEqual(hashes, [sha256(MODEL.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES))]);
    const again = await served.offer(path);
    assert.equal(again[0]?.id, file.id);
  });

  test("a file that changed is another one", async () => {
    const { served } = serving();
    const [old] = await served.offer(path);
    await writeFile(path, tinyModel(BLOCK_BYTES));
    const [fresh] = await served.offer(path);
    assert.notEqual(fresh?.id, old?.id);
    await assert.rejects(readAll(served, old?.id ?? "", MODEL.length - 10, MODEL.length), { code: "model_not_found" });
    await writeFile(path, MODEL);
  });

  test("comes no faster than the owner says, whoever asks", async () => {
    const { served, state } = serving(BLOCK_BYTES);
    const [file] = await served.offer(path);
    await Promise.all([
      readAll(served, file?.id ?? "", 0, BLOCK_BYTES),
      readAll(served, file?.id ?? "", 0, BLOCK_BYTES),
    ]);
    assert.ok(state.now >= 1500, `${state.now} ms for 2 MiB at 1 MiB/s`);
  });

  test("is not given any more once it is another content, when a peer doubts it", async () => {
    const { served } = serving();
    const time = new Date(1_000_000_000_000);
    await utimes(path, time, time);
    const [file] = await served.offer(path);
    const id = file?.id ?? "";
    const second = { first: 1, count: 1 };
    await served.hashes(id, { first: 0, count: 2 }, never);
    await served.hashes(id, second, never, true);
    assert.equal((await served.offer(path)).length, 1, "it is as it was");

    const handle = await open(path, "r+");
    await handle.write(Buffer.from([1, 2, 3]), 0, 3, BLOCK_BYTES + 100);
    await handle.close();
    await utimes(path, time, time);
    const other = serving().served;
    const [again] = await other.offer(path);
    assert.equal(again?.id, id, "as a disk does it: the file looks the same");
    await other.hashes(id, second, never, true);
    assert.equal((await other.offer(path)).length, 1, "there is nothing to compare it with");

    await assert.rejects(served.hashes(id, second, never, true), { code: "model_not_found" });
    await assert.rejects(readAll(served, id, BLOCK_BYTES, BLOCK_BYTES + 1), { code: "model_not_found" });
    assert.equal((await readAll(served, id, 0, 1)).length, 1, "the rest is as it was");
    await writeFile(path, MODEL);
  });

  test("is bounded: so many bytes at a time, so many readers at once", async () => {
    const { served } = serving();
    const [file] = await served.offer(path);
    const id = file?.id ?? "";
    await assert.rejects(readAll(served, id, 0, MOST_BYTES_READ + 1), { code: "invalid_argument", message: /at most/ });
    const readers = Array.from({ length: 32 }, () => served.read(id, 0, MODEL.length, never));
    await Promise.all(readers.map((reader) => reader.next()));
    await assert.rejects(readAll(served, id, 0, 1), { code: "overloaded" });
    await Promise.all(readers.map((reader) => reader.return()));
    assert.equal((await readAll(served, id, 0, 1)).length, 1);
  });
});
