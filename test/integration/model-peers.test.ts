import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { systemDownloadIo } from "../../src/model/download-io.js";
import { ModelStore } from "../../src/model/model-store.js";
import { RateLimiter } from "../../src/model/rate-limit.js";
import { BLOCK_BYTES } from "../../src/model/sparse/blocks.js";
import { ServedModels } from "../../src/model/supply/served-models.js";
import { PeerRanges } from "../../src/runtime/peer-ranges.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import type { NodeService } from "../../src/transport/node-service.js";
import { layeredModel } from "../support/layered-gguf.js";
import { Hub } from "./model-hub.js";
import { BUILD, startNode } from "./transport-harness.js";

const MODEL = layeredModel({ layers: 4, layerBytes: 6 * BLOCK_BYTES, endBytes: BLOCK_BYTES });
const MIDDLE = { begin: 1, end: 3, hasEmbedding: false, hasOutput: false };
const never = new AbortController().signal;

let folder = "";
let url = "";
const hub = new Hub();
before(async () => {
  await hub.start();
  folder = await mkdtemp(join(tmpdir(), "exo-peers-"));
  url = hub.serve("/m.gguf", { content: MODEL });
  await machine("holder").resolve(url);
});
after(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

function machine(name: string): ModelStore {
  return new ModelStore({
    modelsDir: join(folder, name),
    hub: { endpoint: "http://127.0.0.1:1", token: null, offline: false },
  });
}

function serving(store: ModelStore, bytesPerSecond: number | null = null): Partial<NodeService> {
  const served = new ServedModels({ store, limiter: new RateLimiter(bytesPerSecond, systemDownloadIo) });
  return {
    offerModel: (model) => served.offer(model),
    hashModel: (file, run, signal, doubted) => served.hashes(file, run, signal, doubted),
    readModel: (file, begin, end, signal) => served.read(file, begin, end, signal),
  };
}

async function peer(context: TestContext, service: Partial<NodeService>): Promise<PeerRanges> {
  const node = await startNode(context, { service });
  const caller = { ...BUILD, nodeId: "asker" };
  const connection = { peer: node.address, credentials: plaintextCredentials(), caller, bulk: true };
  const ranges = new PeerRanges("holder", () => new ControlClient(connection));
  context.after(() => ranges.close());
  return ranges;
}

describe("models over the wire", () => {
  test("a part comes from another node alone, and is the same", async (context) => {
    const before = hub.bytesSent;
    const source = await peer(context, serving(machine("holder")));
    const { path } = await machine("asker").resolvePart(url, MIDDLE, { peers: [source] });
    const bytes = await readFile(path);
    const begin = MODEL.headerBytes + 7 * BLOCK_BYTES;
    const end = begin + 12 * BLOCK_BYTES;
    assert.ok(bytes.subarray(begin, end).equals(MODEL.subarray(begin, end)));
    assert.ok(hub.bytesSent - before <= 2 * BLOCK_BYTES, "from the hub come the header and one block to compare");
  });

  test("what is refused here is refused there, with the same words", async (context) => {
    const source = await peer(context, serving(machine("holder")));
    await assert.rejects(source.hashes("none", { first: 0, count: 1 }, never), {
      code: "model_not_found",
      message: /does not offer such a file/,
    });
    await assert.rejects(source.hashes("none", { first: 0, count: 0 }, never), { code: "invalid_argument" });
    await assert.rejects(source.offer("", never), { code: "invalid_argument" });
    const [file] = await source.offer(url, never);
    await assert.rejects(
      async () => {
        for await (const _ of source.fetchRange(file?.id ?? "", 5, 3, never));
      },
      { code: "invalid_argument" },
    );
  });

  test("an offer that makes no sense is refused", async (context) => {
    const good = (
      await new ServedModels({ store: machine("holder"), limiter: new RateLimiter(null, systemDownloadIo) }).offer(url)
    )[0];
    assert.ok(good !== undefined);
    for (const change of [
      { bytes: 0 },
      { header: { bytes: good.bytes + 1, sha256: good.header.sha256 } },
      { header: { bytes: 10, sha256: "no" } },
      { runs: [{ first: 0, count: 4_000_000 }] },
      { id: "" },
    ]) {
      const source = await peer(context, { offerModel: async () => [{ ...good, ...change }] });
      await assert.rejects(source.offer(url, never), { code: "peer_incompatible" });
    }
    const source = await peer(context, { ...serving(machine("holder")), hashModel: async () => [Buffer.alloc(33)] });
    await assert.rejects(source.hashes("x", { first: 0, count: 1 }, never), {
      code: "peer_incompatible",
      message: /no whole hashes/,
    });
  });

  test("a read that nobody wants any more ends", async (context) => {
    let over: (value: string) => void = () => {};
    const ended = new Promise<string>((resolve) => {
      over = resolve;
    });
    const service: Partial<NodeService> = {
      async *readModel(_file, _begin, _end, signal) {
        try {
          while (!signal.aborted) yield Buffer.alloc(65_536);
        } finally {
          over("over");
        }
      },
    };
    const source = await peer(context, service);
    for await (const _ of source.fetchRange("x", 0, 2 ** 26, never)) break;
    assert.equal(await ended, "over");
  });
});
