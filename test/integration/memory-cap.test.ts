import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { besideHeadBytes, memoryNeeds } from "../../src/cluster/place.js";
import type { RingSettings } from "../../src/cluster/ring-settings.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { readGgufInfo } from "../../src/model/gguf-info.js";
import { stageMemory, totalBytes } from "../../src/model/memory-estimate.js";
import { nativeCounters } from "../../src/native/load.js";
import { KeptStages } from "../../src/runtime/kept-stages.js";
import { MemoryCap } from "../../src/runtime/memory-cap.js";
import { NodeMeters } from "../../src/runtime/meters.js";
import { RingHead, type RingHeadOptions } from "../../src/runtime/ring-head.js";
import { NO_SPECULATION } from "../../src/runtime/speculation/settings.js";
import { TraceBuffer } from "../../src/runtime/tracing/trace-buffer.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import { HopServer } from "../../src/transport/hop-server.js";
import { noWatch } from "../../src/transport/peer-watch.js";
import { tinyModel } from "../support/models.js";
import { patientWatchdog } from "../support/patient-watchdog.js";
import { BUILD } from "./transport-harness.js";

const path = tinyModel();
const info = await readGgufInfo(path);
const ring: RingSettings = {
  contextSize: 256,
  slots: 1,
  batchSize: 32,
  microBatchSize: 32,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
  wireType: "f32",
};
const needs = memoryNeeds(ring, ring.contextSize);
const whole = { begin: 0, end: info.layerCount, hasEmbedding: true, hasOutput: true };
const planned = totalBytes(stageMemory(info, whole, needs));
const over = new ExoError("not_ready", "The test is over.");

function open(memory: MemoryCap, change: Partial<RingHeadOptions> = {}): Promise<RingHead> {
  const ports = {
    hopServer: new HopServer(BUILD, silentLogger),
    credentials: plaintextCredentials(),
    build: BUILD,
    nodeId: "head",
    watch: noWatch,
    watchdog: patientWatchdog(),
    clock: systemClock,
    logger: silentLogger,
    memory,
    kept: new KeptStages({ logger: silentLogger }),
    traces: new TraceBuffer({ nodeId: "head", rate: 0, clock: systemClock }),
  };
  const options: RingHeadOptions = {
    ringId: "ring",
    replaces: [],
    spec: "tiny",
    modelHash: "",
    epoch: 1,
    model: "tiny",
    nodes: ["head"],
    modelPath: path,
    layerCount: info.layerCount,
    layerEnd: info.layerCount,
    plannedBytes: planned,
    stageCount: 1,
    nextHop: null,
    ring,
    tiedEmbeddingBytes: 0,
    sampling: {},
    compute: { threads: 1, batchThreads: 1, devices: [], mmap: true, mlock: false },
    queueLimit: 1,
    contextFull: "stop",
    requestTimeout: null,
    speculation: NO_SPECULATION,
    roundTripDeadlineMs: 1000,
    meter: new NodeMeters().model("tiny"),
    ...change,
  };
  return RingHead.open(options, ports, {});
}

describe("the memory that an owner offers, and heads", () => {
  afterEach(() => assert.equal(nativeCounters().stages, 0, "no stage stays behind"));

  test("a head that would take more is refused before anything is loaded", async () => {
    const memory = new MemoryCap(planned - 1, silentLogger);
    await assert.rejects(open(memory), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, "out_of_memory");
      assert.match(thrown.message, /^The head of tiny needs .* \(--memory\)/);
      return true;
    });
    assert.equal(memory.taken, 0);
  });

  test("of two heads that are loaded at once one is refused; when the other is gone there is room again", async () => {
    const memory = new MemoryCap(Math.floor(planned * 1.9), silentLogger);
    const results = await Promise.allSettled([open(memory), open(memory)]);
    const heads = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    assert.deepEqual(results.map((result) => (result.status === "fulfilled" ? "loaded" : result.reason.code)).sort(), [
      "loaded",
      "out_of_memory",
    ]);
    const [head] = heads;
    assert.ok(head !== undefined);
    const { weights, kvCache, compute, output } = head.memory();
    assert.equal(memory.taken, weights + kvCache + compute + output, "from the end of loading on it counts as it is");
    await head.close(over, false);
    await head.close(over, false);
    assert.equal(memory.taken, 0);
    const next = await open(memory);
    await next.close(over, false);
  });

  test("a model that drafts is counted with its head", async () => {
    const speculation = { ngrams: false, draftTokens: 4, draftModel: { id: "tiny", path, info } };
    const both = planned + besideHeadBytes(info, needs);
    await assert.rejects(open(new MemoryCap(both - 1, silentLogger), { speculation, plannedBytes: both }), {
      code: "out_of_memory",
    });
    const memory = new MemoryCap(null, silentLogger);
    const head = await open(memory, { speculation, plannedBytes: both });
    const alone = await open(memory);
    await alone.close(over, false);
    assert.ok(memory.taken > head.memory().weights);
    await head.close(over, false);
    assert.equal(memory.taken, 0);
  });

  test("a head that cannot be loaded gives back what was claimed for it", async () => {
    const memory = new MemoryCap(null, silentLogger);
    await assert.rejects(open(memory, { modelPath: "/nonexistent.gguf" }));
    assert.equal(memory.taken, 0);
  });
});
