import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { on, once } from "node:events";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import { type DownloadIo, systemDownloadIo } from "../../src/model/download-io.js";
import type { ModelPart } from "../../src/model/memory-estimate.js";
import type { CacheEntry } from "../../src/model/model-cache.js";
import { ModelStore, type ModelStoreOptions } from "../../src/model/model-store.js";
import type { ModelProgress } from "../../src/model/progress.js";
import { BLOCK_BYTES } from "../../src/model/sparse/blocks.js";
import { eventually } from "../support/eventually.js";
import { layeredModel, ringParts } from "../support/layered-gguf.js";
import { PeerNode } from "../support/model-peers.js";
import { Hub, type HubFile } from "./model-hub.js";

const LAYERS = 6;
const MODEL = layeredModel({ layers: LAYERS, layerBytes: 3 * BLOCK_BYTES, endBytes: BLOCK_BYTES });
const PARTS = ringParts(LAYERS, 3);
const [HEAD, MIDDLE, LAST] = PARTS as [ModelPart, ModelPart, ModelPart];
/** Bytes that a part may take beside its own: it is held in whole blocks. */
const SLACK = 4 * BLOCK_BYTES;

let hub = new Hub();
let folder = "";
beforeEach(async () => {
  hub = new Hub();
  await hub.start();
  folder = await mkdtemp(join(tmpdir(), "exo-parts-"));
});
afterEach(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

const io: DownloadIo = { ...systemDownloadIo, sleep: () => Promise.resolve(), stallMilliseconds: 5000 };

/** A machine with a cache of its own. */
function machine(name: string, options: Partial<ModelStoreOptions> = {}): ModelStore {
  const settled = { endpoint: "http://127.0.0.1:1", token: null, offline: false };
  return new ModelStore({ modelsDir: join(folder, name), io, hub: settled, ...options });
}

function serve(file: Partial<HubFile> = {}, content: HubFile["content"] = MODEL): string {
  return hub.serve("/m.gguf", { content, ...file });
}

function partBytes(part: ModelPart): number {
  return (part.end - part.begin) * 3 * BLOCK_BYTES + (part.hasOutput ? 2 * BLOCK_BYTES : 0);
}

async function onDisk(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

/** Whether the file has the right bytes wherever the part needs them. */
async function assertHolds(path: string, part: ModelPart): Promise<void> {
  const bytes = await readFile(path);
  const begin = MODEL.headerBytes + BLOCK_BYTES + part.begin * 3 * BLOCK_BYTES;
  const end = begin + (part.end - part.begin) * 3 * BLOCK_BYTES;
  assert.ok(bytes.subarray(0, MODEL.headerBytes).equals(MODEL.subarray(0, MODEL.headerBytes)), "header");
  assert.ok(bytes.subarray(begin, end).equals(MODEL.subarray(begin, end)), "layers");
}

describe("parts from a server", () => {
  test("the header alone is some hundred kilobytes, and tells what the whole would", async () => {
    const url = serve();
    const header = await machine("a").header(url);
    assert.equal(header.bytes, MODEL.length);
    assert.equal(header.info.layerCount, LAYERS);
    assert.ok(hub.bytesSent <= 2 * BLOCK_BYTES, `${hub.bytesSent} bytes`);
    const whole = await machine("b").resolve(url);
    assert.equal(header.hash, whole.hash);
    assert.deepEqual({ ...header.info, files: [] }, { ...whole.info, files: [] });
  });

  test("each of three machines fetches and keeps its own, and no more", async () => {
    const url = serve();
    for (const [index, part] of PARTS.entries()) {
      const before = hub.bytesSent;
      const { path } = await machine(`m${index}`).resolvePart(url, part);
      await assertHolds(path, part);
      const most = partBytes(part) + MODEL.headerBytes + SLACK;
      assert.ok(hub.bytesSent - before <= most, `${hub.bytesSent - before} fetched`);
      assert.ok((await onDisk(path)) <= most, `${await onDisk(path)} on the disk`);
      assert.equal((await stat(path)).size, MODEL.length);
    }
  });

  test("another plan fetches only what is missing; what is here needs no network", async () => {
    const url = serve();
    const store = machine("a");
    await store.resolvePart(url, MIDDLE);
    const before = hub.bytesSent;
    const { path } = await store.resolvePart(url, { ...MIDDLE, end: MIDDLE.end + 1 });
    await assertHolds(path, { ...MIDDLE, end: MIDDLE.end + 1 });
    assert.ok(hub.bytesSent - before <= 3 * BLOCK_BYTES + 2 * BLOCK_BYTES, `${hub.bytesSent - before} fetched`);
    const asked = hub.requests.length;
    await store.resolvePart(url, MIDDLE);
    await machine("a").resolvePart(url, { ...MIDDLE, begin: MIDDLE.begin + 1 });
    assert.equal(hub.requests.length, asked);
  });

  test("all of it after parts of it completes the file", async () => {
    const url = serve();
    const store = machine("a");
    await store.resolvePart(url, LAST);
    const before = hub.bytesSent;
    const { path } = await store.resolve(url);
    assert.ok((await readFile(path)).equals(MODEL.subarray(0, MODEL.length)));
    assert.ok(hub.bytesSent - before < MODEL.length - partBytes(LAST) + SLACK);
    const [listed] = await store.list();
    assert.deepEqual([listed?.path, listed?.bytes, listed?.total], [path, MODEL.length, MODEL.length]);
  });

  test("a fetch that is cut off goes on where it was, in another process too", async () => {
    const url = serve({ breaks: [null, 2 * BLOCK_BYTES + 10, 100, 100, 100] });
    await assert.rejects(machine("a", { io: { ...io, fruitlessTries: 1 } }).resolvePart(url, MIDDLE), {
      code: "download_failed",
    });
    const [half] = await machine("a").list();
    assert.ok((half?.bytes ?? 0) >= 2 * BLOCK_BYTES, `${half?.bytes} bytes here`);
    assert.equal(half?.path, null);
    serve();
    const before = hub.bytesSent;
    const { path } = await machine("a").resolvePart(url, MIDDLE);
    await assertHolds(path, MIDDLE);
    assert.ok(
      hub.bytesSent - before <= partBytes(MIDDLE) + SLACK - 2 * BLOCK_BYTES,
      `${hub.bytesSent - before} fetched`,
    );
  });

  test("answers that are shorter than asked for are gone on from where they end", async () => {
    for (const mostBytes of [BLOCK_BYTES / 4 + 3, 2 * BLOCK_BYTES + 5]) {
      const url = serve({ mostBytes });
      const { path } = await machine(`short-${mostBytes}`).resolvePart(url, MIDDLE);
      await assertHolds(path, MIDDLE);
    }
  });

  test("connections that all break before a block is whole bring the part all the same", async () => {
    const url = serve({ breaks: new Array<number>(200).fill(BLOCK_BYTES / 2 - 1) });
    const before = hub.bytesSent;
    const { path } = await machine("a", { io: { ...io, fruitlessTries: 3 } }).resolvePart(url, HEAD);
    await assertHolds(path, HEAD);
    const most = partBytes(HEAD) + MODEL.headerBytes + SLACK;
    assert.ok(hub.bytesSent - before <= most, `${hub.bytesSent - before} fetched`);
  });

  test("what a cancelled fetch brought is kept", async () => {
    const stop = new AbortController();
    let requests = 0;
    const onRequest = (): void => {
      requests += 1;
      if (requests === 4) stop.abort();
    };
    const url = serve({ onRequest });
    await assert.rejects(machine("a").resolvePart(url, MIDDLE, { signal: stop.signal }), { code: "cancelled" });
    assert.ok(((await machine("a").list())[0]?.bytes ?? 0) >= BLOCK_BYTES);
    serve();
    await assertHolds((await machine("a").resolvePart(url, MIDDLE)).path, MIDDLE);
  });

  test("a process that is killed in the middle has not fetched in vain", async () => {
    const large = layeredModel({ layers: LAYERS, layerBytes: 8 * BLOCK_BYTES, endBytes: BLOCK_BYTES });
    const url = serve({}, large);
    const rate = 8 * BLOCK_BYTES;
    const script = fileURLToPath(new URL("./model-part-child.js", import.meta.url));
    const child = fork(script, [join(folder, "a"), url, JSON.stringify(MIDDLE), String(rate)]);
    // More than a second's worth: the first of it has been noted.
    for await (const [received] of on(child, "message")) if (Number(received) >= 12 * BLOCK_BYTES) break;
    child.kill("SIGKILL");
    await once(child, "exit");
    const kept = (await machine("a").list())[0]?.bytes ?? 0;
    assert.ok(kept >= 2 * BLOCK_BYTES, `${kept} bytes are known to be here`);
    for (const name of await readdir(join(folder, "a"))) {
      if (name.endsWith(".lock")) await utimes(join(folder, "a", name), 0, 0);
    }
    const before = hub.bytesSent;
    const { path } = await machine("a").resolvePart(url, MIDDLE);
    assert.ok(hub.bytesSent - before <= 18 * BLOCK_BYTES - kept, `${hub.bytesSent - before} fetched with ${kept} here`);
    const at = large.headerBytes + BLOCK_BYTES + MIDDLE.end * 8 * BLOCK_BYTES - 5000;
    assert.ok((await readFile(path)).subarray(at, at + 5000).equals(large.subarray(at, at + 5000)));
  });

  test("progress counts what was here already", async () => {
    const url = serve();
    await machine("a").resolvePart(url, { ...MIDDLE, end: MIDDLE.begin + 1 });
    const reports: ModelProgress[] = [];
    await machine("a").resolvePart(url, MIDDLE, { onProgress: (report) => reports.push(report) });
    const last = reports.at(-1);
    assert.equal(last?.received, last?.total);
    assert.ok(reports.some(({ received, total }) => total !== null && received > 0 && received < total));
    assert.deepEqual(
      last?.sources?.map(({ name, fault }) => [name, fault]),
      [["hub", null]],
    );
  });

  test("a file that changes on the server is fetched anew, whole in itself", async () => {
    const url = serve();
    await machine("a").resolvePart(url, MIDDLE);
    const other = layeredModel({ layers: LAYERS, layerBytes: 4 * BLOCK_BYTES, endBytes: BLOCK_BYTES });
    serve({ etag: '"new"' }, other);
    const model = await machine("a").resolvePart(url, LAST);
    assert.equal(model.bytes, other.length);
    const bytes = await readFile(model.path);
    const end = other.headerBytes + BLOCK_BYTES + LAST.end * 4 * BLOCK_BYTES;
    assert.ok(bytes.subarray(end - 100, end).equals(other.subarray(end - 100, end)));
  });

  test("one that changes with every answer is given up", async () => {
    let version = 0;
    const file: HubFile = { content: MODEL };
    file.onRequest = () => {
      version += 1;
      file.etag = `"${version}"`;
    };
    const url = hub.serve("/m.gguf", file);
    await assert.rejects(machine("a").resolvePart(url, MIDDLE), {
      code: "download_failed",
      message: /changes at its source/,
    });
  });
});

describe("a part that was damaged on the disk", () => {
  /** One byte at this place is another one from now on. */
  async function damage(path: string, at: number): Promise<void> {
    const file = await open(path, "r+");
    await file.write(Buffer.from([(MODEL.subarray(at, at + 1)[0] ?? 0) ^ 1]), 0, 1, at);
    await file.close();
  }

  /** Counts warnings by what they say. */
  function listening() {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) };
    return { warnings, logger };
  }

  const inLayers = MODEL.headerBytes + BLOCK_BYTES + MIDDLE.begin * 3 * BLOCK_BYTES + 5;

  for (const [where, at] of [
    ["its layers", inLayers],
    ["its header", 40],
  ] as const) {
    test(`in ${where} is found at the next load, told, and mended`, async () => {
      const url = serve();
      const { path, hash } = await machine("a").resolvePart(url, MIDDLE);
      await damage(path, at);
      const { warnings, logger } = listening();
      const before = hub.bytesSent;
      const store = machine("a", { logger });
      const again = await store.resolvePart(url, MIDDLE, { hash });
      await assertHolds(again.path, MIDDLE);
      assert.equal(again.hash, hash);
      assert.equal(hub.bytesSent - before, BLOCK_BYTES);
      assert.deepEqual(
        warnings.map((text) => text.includes(path) && text.includes("1 blocks")),
        [true],
      );
      await store.resolvePart(url, MIDDLE);
      assert.equal(warnings.length, 1);
      assert.equal((await store.verify("m")).ok, true);
    });
  }

  test("is not used when nobody can give the bytes again", async () => {
    const url = serve();
    const { path } = await machine("a").resolvePart(url, MIDDLE);
    await damage(path, inLayers);
    await hub.stop();
    await assert.rejects(machine("a").resolvePart(url, MIDDLE), { code: "download_failed" });
    await hub.start();
  });

  test("while a process runs is found once the file has changed, and no block is read twice before", async () => {
    const url = serve();
    const store = machine("a");
    const { path } = await store.resolvePart(url, MIDDLE);
    await damage(path, inLayers);
    const before = hub.bytesSent;
    await assertHolds((await store.resolvePart(url, { ...MIDDLE, end: MIDDLE.end + 1 })).path, MIDDLE);
    assert.ok(hub.bytesSent - before >= 4 * BLOCK_BYTES, `${hub.bytesSent - before} fetched`);
  });
});

describe("parts from peers", () => {
  async function holder(name: string, url: string, part: ModelPart | "whole" = "whole"): Promise<ModelStore> {
    const store = machine(name);
    await (part === "whole" ? store.resolve(url) : store.resolvePart(url, part));
    return store;
  }

  test("several give what they have, and the hub only what they have not", async () => {
    const url = serve();
    const peers = [new PeerNode("a", await holder("a", url, HEAD)), new PeerNode("b", await holder("b", url, MIDDLE))];
    const before = hub.bytesSent;
    const wanted = { begin: 0, end: LAYERS, hasEmbedding: false, hasOutput: false };
    const reports: ModelProgress[] = [];
    const { path } = await machine("c").resolvePart(url, wanted, {
      peers,
      onProgress: (report) => reports.push(report),
    });
    await assertHolds(path, wanted);
    assert.ok(hub.bytesSent - before <= partBytes(LAST) + SLACK, `${hub.bytesSent - before} from the hub`);
    assert.ok(peers.every(({ bytesGiven }) => bytesGiven >= 5 * BLOCK_BYTES));
    assert.deepEqual(
      reports
        .at(-1)
        ?.sources?.map(({ name }) => name)
        .sort(),
      ["a", "b", "hub"],
    );
  });

  test("all of it without a hub", async () => {
    const url = serve();
    const peers = [new PeerNode("a", await holder("a", url))];
    await hub.stop();
    const { path } = await machine("c").resolvePart(url, MIDDLE, { peers });
    await assertHolds(path, MIDDLE);
    await hub.start();
  });

  test("a file that only the head's disk has", async () => {
    const path = join(folder, "disk", "own.gguf");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, MODEL.subarray(0, MODEL.length));
    const head = machine("a");
    const peer = new PeerNode("head", head);
    assert.deepEqual(await peer.offer(path), [], "not before its owner named it");
    const { hash } = await head.header(path);
    await rm(join(folder, "worker"), { recursive: true, force: true });
    const away = join(folder, "disk", "away.gguf");
    const named = new PeerNode("head", head);
    // On another machine the path leads nowhere: this one asks by a name that does not exist here.
    const elsewhere = {
      name: "head",
      offer: () => named.offer(path),
      hashes: named.hashes.bind(named),
      fetchRange: named.fetchRange.bind(named),
    };
    const model = await machine("worker").resolvePart(away, MIDDLE, { peers: [elsewhere], hash });
    await assertHolds(model.path, MIDDLE);
    assert.ok(named.bytesGiven <= partBytes(MIDDLE) + SLACK);
    await assert.rejects(machine("worker").resolvePart(away, MIDDLE, { peers: [elsewhere], hash: "0".repeat(64) }), {
      code: "model_not_found",
      message: /no node that can be reached has it/,
    });
  });

  test("another file at the same path than the head has is refused", async () => {
    const path = join(folder, "own.gguf");
    await writeFile(path, MODEL.subarray(0, MODEL.length));
    await assert.rejects(machine("a").resolvePart(path, MIDDLE, { hash: "0".repeat(64) }), {
      code: "invalid_model",
      message: /another file than the one that the ring's head has/,
    });
  });

  test("a corrupt range is found and fetched elsewhere, and the peer is named", async () => {
    const url = serve();
    const rotten = new PeerNode("rotten", await holder("a", url), {
      bytes: (piece, begin) =>
        begin >= 8 * BLOCK_BYTES && begin < 9 * BLOCK_BYTES ? piece.map((byte) => byte ^ 1) : piece,
    });
    const reports: ModelProgress[] = [];
    const { path } = await machine("c").resolvePart(url, MIDDLE, {
      peers: [rotten],
      onProgress: (report) => reports.push(report),
    });
    await assertHolds(path, MIDDLE);
    const fault = reports.at(-1)?.sources?.find(({ name }) => name === "rotten")?.fault ?? "";
    assert.match(fault, /block \d+ is not what it should be/);
    assert.equal(reports.at(-1)?.received, reports.at(-1)?.total);
  });

  test("a peer whose disk has damaged a part is told, looks, and does not count the block as here any more", async () => {
    const url = serve();
    const store = await holder("a", url, MIDDLE);
    const block = 8;
    const hasBlock = async (): Promise<boolean> =>
      [...((await store.cached(url))?.partial.values() ?? [])].some(({ hashes }) => hashes.has(block));
    await damage(await store.cached(url), block);
    assert.ok(await hasBlock());
    const { path } = await machine("c").resolvePart(url, MIDDLE, { peers: [new PeerNode("a", store)] });
    await assertHolds(path, MIDDLE);
    await eventually(async () => assert.equal(await hasBlock(), false));
    const mended = await machine("a").resolvePart(url, MIDDLE);
    await assertHolds(mended.path, MIDDLE);
  });

  test("a peer that has a damaged model whole offers it no more, once another one doubts it", async () => {
    const url = serve();
    const store = machine("a");
    await store.resolve(url);
    const peer = new PeerNode("a", store);
    const [file] = await peer.offer(url);
    const run = { first: 8, count: 1 };
    const { signal } = new AbortController();
    await peer.hashes(file?.id ?? "", run, signal, true);
    assert.equal((await peer.offer(url)).length, 1);

    await damage(await store.cached(url), run.first);
    const other = new PeerNode("a", store);
    const [damaged] = await other.offer(url);
    await other.hashes(damaged?.id ?? "", run, signal, true);
    await eventually(async () => assert.deepEqual(await other.offer(url), []));
  });

  test("a peer whose disk is corrupt, and that says so itself in its hashes, is found by the other peer's", async () => {
    const url = serve();
    const store = await holder("a", url);
    const liar = new PeerNode("liar", store, {
      bytes: (piece) => piece.map((byte) => byte ^ 1),
      hashes: (hashes, first) => hashes.map((_, index) => flippedHash(first + index)),
    });
    const honest = new PeerNode("honest", await holder("b", url));
    for (const peers of [
      [liar, honest],
      [honest, liar],
    ]) {
      const { path } = await machine(`c-${peers[0]?.name}`).resolvePart(url, MIDDLE, { peers });
      await assertHolds(path, MIDDLE);
    }
  });

  test("a lying peer alone is found by a look at the hub", async () => {
    const url = serve();
    const liar = new PeerNode("liar", await holder("a", url), {
      bytes: (piece) => piece.map((byte) => byte ^ 1),
      hashes: (hashes, first) => hashes.map((_, index) => flippedHash(first + index)),
    });
    const reports: ModelProgress[] = [];
    const { path } = await machine("c").resolvePart(url, MIDDLE, {
      peers: [liar],
      onProgress: (report) => reports.push(report),
    });
    await assertHolds(path, MIDDLE);
    assert.match(reports.at(-1)?.sources?.find(({ name }) => name === "liar")?.fault ?? "", /not what the hub has/);
  });

  test("two peers that disagree and no hub: nothing is taken, and both are named", async () => {
    const url = serve();
    const liar = new PeerNode("liar", await holder("a", url), {
      hashes: (hashes, first) => hashes.map((_, index) => flippedHash(first + index)),
    });
    const peers = [liar, new PeerNode("honest", await holder("b", url))];
    const store = machine("c");
    await store.header(url);
    await hub.stop();
    await assert.rejects(store.resolvePart(url, MIDDLE, { peers }), { code: "download_failed" });
    await hub.start();
  });

  test("one that breaks off, gives too much, or lies about what it has does not stop the others", async () => {
    const url = serve();
    const store = await holder("a", url);
    const peers = [
      new PeerNode("short", store, { bytes: (piece) => piece.subarray(1) }),
      new PeerNode("long", store, { bytes: (piece) => Buffer.concat([piece, piece]) }),
      new PeerNode("boaster", await holder("b", url, LAST), {
        offer: (files) => files.map((file) => ({ ...file, runs: [{ first: 0, count: 21 }] })),
      }),
      new PeerNode("mute", store, { hashes: () => [] }),
      new PeerNode("other", store, { offer: (files) => files.map((file) => ({ ...file, bytes: file.bytes + 1 })) }),
    ];
    const { path } = await machine("c").resolvePart(url, MIDDLE, { peers });
    await assertHolds(path, MIDDLE);
  });

  test("no path, no other file, no range beyond what is offered can be read", async () => {
    const url = serve();
    const peer = new PeerNode("a", await holder("a", url, MIDDLE));
    const { signal } = new AbortController();
    const read = async (file: string, begin: number, end: number): Promise<void> => {
      for await (const _ of peer.fetchRange(file, begin, end, signal));
    };
    assert.deepEqual(await peer.offer("/etc/hostname"), []);
    assert.deepEqual(await peer.offer("npm:a@1.0.0/x"), []);
    const [file] = await peer.offer(url);
    assert.ok(file !== undefined);
    for (const id of ["", "/etc/hostname", "../../x", `${file.id}0`])
      await assert.rejects(read(id, 0, 1), { code: "model_not_found" });
    await assert.rejects(read(file.id, MODEL.length - 10, MODEL.length), { code: "model_not_found" });
    for (const [begin, end] of [
      [-1, 5],
      [5, 5],
      [0, MODEL.length + 1],
      [0.5, 1],
      [0, Number.NaN],
    ] as const) {
      await assert.rejects(read(file.id, begin, end), { code: "invalid_argument" }, `[${begin}, ${end})`);
    }
    await assert.rejects(peer.hashes(file.id, { first: 0, count: 100_000 }, signal), { code: "invalid_argument" });
    await assert.rejects(peer.hashes(file.id, { first: 0, count: 256 }, signal), { code: "invalid_argument" });
  });
});

/** As a disk does it: some bytes of the block are others. */
async function damage(entry: CacheEntry | null, block: number): Promise<void> {
  assert.ok(entry !== null);
  const names = [...entry.partial.keys(), ...entry.manifest.files.map(({ name }) => name)];
  const file = await open(join(entry.directory, names[0] ?? ""), "r+");
  await file.write(Buffer.from([1, 2, 3, 4, 5]), 0, 5, block * BLOCK_BYTES + 500);
  await file.close();
}

/** The sha256 that fits bytes of which one bit each is wrong. */
function flippedHash(block: number): Buffer {
  const begin = block * BLOCK_BYTES;
  const bytes = MODEL.subarray(begin, Math.min(MODEL.length, begin + BLOCK_BYTES)).map((byte) => byte ^ 1);
  return createHash("sha256").update(bytes).digest();
}

describe("room on the disk", () => {
  test("is looked at before, and only the missing part counts", async () => {
    const url = serve();
    const room = (bytes: number): DownloadIo => ({ ...io, freeBytes: () => Promise.resolve(bytes) });
    await assert.rejects(machine("a", { io: room(2 * BLOCK_BYTES) }).resolvePart(url, MIDDLE), {
      code: "disk_full",
      message: /^This node's part of m needs .+ more in .+ where 2\.00 MiB are free/,
    });
    await machine("a").resolvePart(url, { ...MIDDLE, end: MIDDLE.begin + 1 });
    await machine("a", { io: room(6 * BLOCK_BYTES) }).resolvePart(url, MIDDLE);
  });

  test("that ends in the middle is said, and nothing is lost", async () => {
    const url = serve();
    let left = 4;
    const write: DownloadIo["write"] = async (file, bytes, position) => {
      if (left === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      left -= 1;
      await systemDownloadIo.write(file, bytes, position);
    };
    await assert.rejects(machine("a", { io: { ...io, write } }).resolvePart(url, MIDDLE), {
      code: "disk_full",
      message: /The disk is full/,
    });
    assert.equal((await machine("a").list())[0]?.bytes, 4 * BLOCK_BYTES);
    const before = hub.bytesSent;
    await machine("a").resolvePart(url, MIDDLE);
    assert.ok(hub.bytesSent - before <= partBytes(MIDDLE) + SLACK - 3 * BLOCK_BYTES);
  });
});

describe("the cache with parts", () => {
  test("lists, checks, mends and removes them", async () => {
    const url = serve();
    const store = machine("a");
    const { path } = await store.resolvePart(url, MIDDLE);
    const [listed] = await store.list();
    assert.deepEqual([listed?.id, listed?.path, listed?.total], ["m", null, MODEL.length]);
    assert.ok((listed?.bytes ?? 0) >= partBytes(MIDDLE) && (listed?.bytes ?? 0) < MODEL.length);
    assert.equal((await store.verify("m")).ok, true);
    const bytes = await readFile(path);
    const at = MODEL.headerBytes + BLOCK_BYTES + MIDDLE.begin * 3 * BLOCK_BYTES + 5;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const { ok, parts } = await store.verify("m");
    assert.deepEqual([ok, parts?.[0]?.damaged], [false, [Math.floor(at / BLOCK_BYTES)]]);
    const before = hub.bytesSent;
    await assertHolds((await store.resolvePart(url, MIDDLE)).path, MIDDLE);
    assert.ok(hub.bytesSent - before <= 2 * BLOCK_BYTES);
    await store.remove("m");
    assert.deepEqual(await store.list(), []);
  });

  test("what is being fetched is told, with its sources", async () => {
    const url = serve();
    const store = machine("a");
    const seen = new Set<string>();
    await store.resolvePart(url, MIDDLE, {
      onProgress: () => {
        for (const { spec, model, phase } of store.downloads()) seen.add(`${spec === url} ${model} ${phase}`);
      },
    });
    assert.deepEqual([...seen], ["true m downloading"]);
    assert.deepEqual(store.downloads(), []);
  });
});

describe("a model of 2 GB over three machines", () => {
  const layers = 24;
  const large = layeredModel({ layers, layerBytes: 80 * BLOCK_BYTES, endBytes: 40 * BLOCK_BYTES });

  /** Writes the header and leaves the rest a hole: these machines' bytes are only counted, which is quicker. */
  const write: DownloadIo["write"] = async (file, bytes, position) => {
    if (position < large.headerBytes) await systemDownloadIo.write(file, bytes, position);
  };

  for (const [index, part] of ringParts(layers, 3).entries()) {
    test(`machine ${index + 1} holds its part, at most 40 %, and fetches no byte more`, async () => {
      const url = serve({}, large);
      const share = (part.end - part.begin) * 80 * BLOCK_BYTES + (part.hasOutput ? 80 * BLOCK_BYTES : 0);
      const most = share + large.headerBytes + SLACK;
      const store = machine("m", index === 0 ? {} : { io: { ...io, write } });
      const { path } = await store.resolvePart(url, part);
      assert.ok(hub.bytesSent <= most, `${hub.bytesSent} bytes fetched for a share of ${share}`);
      const held = (await store.list())[0]?.bytes ?? 0;
      assert.ok(
        held >= share && held <= most && held <= 0.4 * large.length,
        `${held} bytes held for a share of ${share}`,
      );
      assert.ok((await onDisk(path)) <= most, `${await onDisk(path)} bytes on the disk`);
    });
  }
});
