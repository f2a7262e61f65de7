import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { ModelStore } from "../../src/model/model-store.js";
import { libraryInfo, nativeCounters } from "../../src/native/load.js";
import { StageHost } from "../../src/runtime/stage-host.js";
import { PROTOCOL_VERSION } from "../../src/transport/compatibility.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import { HopServer } from "../../src/transport/hop-server.js";
import type { LoadStageEvent, LoadStageRequest } from "../../src/transport/node-service.js";
import { tinyModel } from "../support/models.js";

const model = tinyModel();

function request(epoch: number, change: Partial<LoadStageRequest> = {}): LoadStageRequest {
  return {
    place: { ringId: "ring", epoch, stageIndex: 1, stageCount: 2 },
    model,
    layerBegin: 2,
    layerEnd: 4,
    hasOutput: false,
    contextSize: 64,
    maxSequences: 1,
    batchSize: 32,
    microBatchSize: 32,
    kvTypeK: "f16",
    kvTypeV: "f16",
    flashAttention: "auto",
    wireType: "f32",
    cores: 1,
    nextHop: { nodeId: "head", host: "127.0.0.1", port: 9 },
    ...change,
  };
}

function host(memoryCap: number | null = null): StageHost {
  const { llama_tag, llama_commit } = libraryInfo();
  const build = { protocolVersion: PROTOCOL_VERSION, llamaTag: llama_tag, llamaCommit: llama_commit };
  return new StageHost({
    ports: {
      hopServer: new HopServer(build, silentLogger),
      credentials: plaintextCredentials(),
      build,
      nodeId: "worker",
      clock: systemClock,
      logger: silentLogger,
    },
    compute: (cores) => ({ threads: cores, batchThreads: cores, devices: [], mmap: true, mlock: false }),
    memoryCap,
    models: new ModelStore({ modelsDir: "/nonexistent" }),
    addressOf: () => null,
  });
}

async function load(on: StageHost, wanted: LoadStageRequest): Promise<LoadStageEvent["type"][]> {
  const types: LoadStageEvent["type"][] = [];
  for await (const event of on.load(wanted, new AbortController().signal)) types.push(event.type);
  return types;
}

describe("StageHost", () => {
  afterEach(() => assert.equal(nativeCounters().stages, 0, "no stage stays behind"));

  test("holds a stage until it is unloaded, and makes way for a newer epoch", async () => {
    const stages = host();
    assert.equal((await load(stages, request(1))).at(-1), "done");
    assert.equal((await load(stages, request(2))).at(-1), "done");
    assert.deepEqual(
      stages.held().map((held) => held.request.place.epoch),
      [2],
    );
    await stages.unload(request(1).place);
    assert.equal(stages.held().length, 1, "an older epoch cannot unload it");
    await stages.unload(request(2).place);
    assert.equal(stages.held().length, 0);
  });

  test("loads one stage of a ring at a time, and refuses an older epoch", async () => {
    const stages = host();
    const results = await Promise.allSettled([
      load(stages, request(2)),
      load(stages, request(2)),
      load(stages, request(3)),
    ]);
    assert.deepEqual(
      results.map((result) => (result.status === "fulfilled" ? "loaded" : result.reason.code)),
      ["loaded", "stale_epoch", "not_ready"],
    );
    await assert.rejects(load(stages, request(1)), { code: "stale_epoch" });
    await stages.close();
  });

  test("keeps nothing of a stage that cannot take its place", async () => {
    const stages = host();
    await assert.rejects(load(stages, request(1, { batchSize: 1_000_000, microBatchSize: 32 })));
    await assert.rejects(load(stages, request(1, { layerEnd: 40 })), { code: "invalid_argument" });
    await assert.rejects(load(stages, request(1, { hasOutput: true })), { code: "invalid_argument" });
    assert.equal(stages.held().length, 0);
  });

  test("offers no more than its owner said", async () => {
    const stages = host(1000);
    await assert.rejects(load(stages, request(1)), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, "out_of_memory");
      assert.match(thrown.message, /--memory/);
      return true;
    });
  });

  test("frees a stage whose head leaves while it is loaded", async () => {
    const stages = host();
    const abort = new AbortController();
    const events = stages.load(request(1), abort.signal)[Symbol.asyncIterator]();
    const first = events.next().catch(() => null);
    abort.abort();
    await first;
    await events.return?.();
    await stages.close();
  });
});
