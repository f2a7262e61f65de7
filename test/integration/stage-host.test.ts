import assert from "node:assert/strict";
import { afterEach, describe, type TestContext, test } from "node:test";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { ModelStore } from "../../src/model/model-store.js";
import { libraryInfo, nativeCounters } from "../../src/native/load.js";
import { encodeRows } from "../../src/native/micro-batch.js";
import { KeptStages } from "../../src/runtime/kept-stages.js";
import { MemoryCap } from "../../src/runtime/memory-cap.js";
import { StageHost } from "../../src/runtime/stage-host.js";
import { PROTOCOL_VERSION } from "../../src/transport/compatibility.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import { frameHeadRoom, type OutgoingFrame } from "../../src/transport/frame.js";
import { encodeFrame } from "../../src/transport/frame-encode.js";
import { HopServer } from "../../src/transport/hop-server.js";
import type { LoadStageEvent, LoadStageRequest } from "../../src/transport/node-service.js";
import { noWatch } from "../../src/transport/peer-watch.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { patientWatchdog } from "../support/patient-watchdog.js";
import { connect, startNode } from "./transport-harness.js";

const model = tinyModel();
const { llama_tag, llama_commit } = libraryInfo();
const build = { cluster: "default", protocolVersion: PROTOCOL_VERSION, llamaTag: llama_tag, llamaCommit: llama_commit };

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
    modelHash: "",
    replaces: [],
    spare: "",
    nextHop: { nodeId: "head", host: "127.0.0.1", port: 9 },
    ...change,
  };
}

function host(
  memory = new MemoryCap(null, silentLogger),
  hopServer = new HopServer(build, silentLogger),
  kept = new KeptStages({ logger: silentLogger }),
): StageHost {
  return new StageHost({
    ports: {
      hopServer,
      credentials: plaintextCredentials(),
      build,
      nodeId: "worker",
      watch: noWatch,
      watchdog: patientWatchdog(),
      clock: systemClock,
      logger: silentLogger,
    },
    compute: (cores) => ({ threads: cores, batchThreads: cores, devices: [], mmap: true, mlock: false }),
    memory,
    kept,
    models: new ModelStore({ modelsDir: "/nonexistent" }),
    requireMemory: () => {},
    addressOf: () => null,
  });
}

/** Whether the stage that is there stayed. */
async function keeps(on: StageHost, wanted: LoadStageRequest): Promise<boolean> {
  for await (const event of on.load(wanted, new AbortController().signal)) {
    if (event.type === "done") return event.stage.kept;
  }
  throw new Error("the load did not end with done");
}

async function load(on: StageHost, wanted: LoadStageRequest): Promise<LoadStageEvent["type"][]> {
  const types: LoadStageEvent["type"][] = [];
  for await (const event of on.load(wanted, new AbortController().signal)) types.push(event.type);
  return types;
}

/** A prompt that takes about a second to compute. */
const LONG = { width: 128, rows: 8192 } as const;
const longRequest = {
  model: tinyModel({ width: LONG.width, contextLength: LONG.rows }),
  contextSize: LONG.rows,
  batchSize: LONG.rows,
  microBatchSize: 512,
};

function longFrame(epoch: number): OutgoingFrame {
  const headRoom = frameHeadRoom(LONG.rows, 0, 0);
  const rows = Array.from({ length: LONG.rows }, (_, position) => ({ sequence: 0, position, token: 0, output: true }));
  const fields = {
    epoch,
    microBatch: 0,
    fromStage: 0,
    activationType: "f32",
    embeddingSize: LONG.width,
    rows: encodeRows(rows),
    kvOperations: new Int32Array(0),
    computeMicroseconds: 0,
    queueMicroseconds: 0,
    stages: [],
  } as const;
  return encodeFrame(fields, new Uint8Array(headRoom + LONG.rows * LONG.width * 4), headRoom);
}

/** Loads a stage, gives it a long prompt, and breaks the edge that this came on; resolves when the host knows. */
async function orphanWhileComputing(context: TestContext): Promise<StageHost> {
  const node = await startNode(context, { build });
  const stages = host(undefined, node.hops);
  await load(stages, request(1, longRequest));
  const { client, closed } = await connect(context, node.address, {
    build,
    edge: { ringId: "ring", epoch: 1, fromStage: 0, nodeId: "head" },
    maxFrameBytes: 8 * 2 ** 20,
    frameDeadlineMs: 100,
  });
  // On a busy machine its deadline may pass before it is handed over.
  await client.send(longFrame(1)).catch(() => {});
  assert.equal((await closed)?.code, "deadline_exceeded");
  await eventually(async () => assert.equal(stages.held().length, 0));
  return stages;
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
    await stages.unload(request(1).place, false);
    assert.equal(stages.held().length, 1, "an older epoch cannot unload it");
    await stages.unload(request(2).place, false);
    assert.equal(stages.held().length, 0);
  });

  test("a stage goes on in the next epoch where its range is the same, and makes way where it is not", async () => {
    const stages = host();
    assert.equal(await keeps(stages, request(1)), false);
    assert.equal(await keeps(stages, request(2)), true);
    const elsewhere = { place: { ringId: "ring", epoch: 3, stageIndex: 2, stageCount: 3 }, wireType: "f16" } as const;
    assert.equal(await keeps(stages, request(3, elsewhere)), true, "its place in the ring does not matter");
    assert.equal(await keeps(stages, request(4, { layerBegin: 1 })), false);
    assert.equal(nativeCounters().stages, 1);
    await stages.unload(request(4).place, true);
    assert.deepEqual([stages.held().length, nativeCounters().stages], [0, 1], "it waits for the next epoch");
    assert.equal(await keeps(stages, request(5, { layerBegin: 1 })), true);
    await stages.close();
  });

  test("a stage goes on in a ring that takes the place of its own", async () => {
    const stages = host();
    const place = { ringId: "next", epoch: 1, stageIndex: 1, stageCount: 2 };
    await load(stages, request(1));
    assert.equal(await keeps(stages, request(1, { place })), false, "its own ring may still need it");
    assert.equal(nativeCounters().stages, 2);
    const third = { ringId: "third", epoch: 1, stageIndex: 1, stageCount: 2 };
    assert.equal(await keeps(stages, request(1, { place: third, replaces: ["ring", "next"] })), true);
    assert.equal(nativeCounters().stages, 1, "of two one is used, and the other is freed");
    await stages.close();
  });

  test("a head on the same node whose ring takes the place of another takes its stage out of it", async () => {
    const kept = new KeptStages({ logger: silentLogger });
    const stages = host(undefined, undefined, kept);
    await load(stages, request(1));
    kept.leaveRings(["another"]);
    assert.equal(stages.held().length, 1);
    kept.leaveRings(["ring"]);
    assert.deepEqual([stages.held().length, kept.list().length], [0, 1]);
    await stages.close();
  });

  test("frames of an old epoch do not reach a stage that went on", async (context) => {
    const node = await startNode(context, { build });
    const stages = host(undefined, node.hops);
    const edge = { ringId: "ring", epoch: 1, fromStage: 0, nodeId: "head" };
    await load(stages, request(1));
    const { closed } = await connect(context, node.address, { build, edge });
    assert.equal(await keeps(stages, request(2)), true);
    assert.equal((await closed)?.code, "stale_epoch");
    await assert.rejects(connect(context, node.address, { build, edge }), { code: "stale_epoch" });
    await stages.close();
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
    const stages = host(new MemoryCap(1000, silentLogger));
    await assert.rejects(load(stages, request(1)), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, "out_of_memory");
      assert.match(thrown.message, /--memory/);
      return true;
    });
  });

  test("offers it to all rings together, and has it back from each", async () => {
    const memory = new MemoryCap(null, silentLogger);
    const all = host(memory);
    await load(all, request(1));
    const one = memory.taken;
    await all.close();
    assert.equal(memory.taken, 0);

    const shared = new MemoryCap(Math.floor(one * 1.9), silentLogger);
    const stages = host(shared);
    const other = { place: { ringId: "other", epoch: 1, stageIndex: 1, stageCount: 2 } };
    const results = await Promise.allSettled([load(stages, request(1)), load(stages, request(1, other))]);
    assert.deepEqual(results.map((result) => (result.status === "fulfilled" ? "loaded" : result.reason.code)).sort(), [
      "loaded",
      "out_of_memory",
    ]);
    // The stage of the older epoch gives its memory back before the newer one claims it.
    const [{ ringId, epoch } = { ringId: "", epoch: 0 }] = stages.held().map((held) => held.request.place);
    await load(stages, request(epoch + 1, { place: { ringId, epoch: epoch + 1, stageIndex: 1, stageCount: 2 } }));
    await stages.close();
    assert.equal(shared.taken, 0);
  });

  test("a newer epoch waits for the memory of a stage that still computes for a ring that broke", async (context) => {
    const stages = await orphanWhileComputing(context);
    let most = 0;
    for await (const _ of stages.load(request(2), new AbortController().signal)) {
      most = Math.max(most, nativeCounters().stages);
    }
    assert.equal(most, 1, "never two stages of one ring at once");
    await stages.close();
  });

  test("unloads a stage that still computes for a ring that broke, before it says so", async (context) => {
    const stages = await orphanWhileComputing(context);
    assert.equal(nativeCounters().stages, 1, "the prompt is still being computed");
    await stages.unload(request(1).place, false);
    assert.equal(nativeCounters().stages, 0);
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
