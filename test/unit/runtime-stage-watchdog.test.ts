import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import { encodeRows } from "../../src/native/micro-batch.js";
import type { DecodeResult } from "../../src/native/stage.js";
import { LocalPipeline } from "../../src/runtime/local-pipeline.js";
import { RingBatchBuilder } from "../../src/runtime/micro-batch.js";
import { PassLimits } from "../../src/runtime/pass-limits.js";
import { type ComputingStage, StageWatchdog } from "../../src/runtime/stage-watchdog.js";

const RESULT: DecodeResult = {
  activations: null,
  samples: [],
  pooled: null,
  logits: null,
  copies: 0,
  computeSeconds: 0.5,
  queueSeconds: 0,
  samplingSeconds: 0,
};

const row = { sequence: 0, position: 0, token: 1, output: false };
const batchOf = (rows: number) => ({ rows: encodeRows(Array.from({ length: rows }, () => row)) });

/** A thread that comes back from micro-batches when the test says so, and time that passes when it says so. */
function watched(leastSeconds = 60) {
  const time = { now: 0 };
  const done: (() => void)[] = [];
  const hung: ExoError[] = [];
  const watchdog = new StageWatchdog({
    leastSeconds,
    clock: { monotonic: () => time.now, wall: () => time.now },
    logger: silentLogger,
    onHang: (error) => hung.push(error),
  });
  const thread: ComputingStage = {
    decode: () => new Promise((resolve) => done.push(() => resolve(RESULT))),
    close: async () => {},
  };
  const stage = watchdog.watch(thread, "layers 0-4 of tiny");
  const pass = (seconds: number): void => {
    for (let second = 0; second < seconds; second += 1) {
      time.now += 1000;
      watchdog.look();
    }
  };
  return { stage, watchdog, done, hung, pass, time };
}

describe("what a micro-batch may take", () => {
  test("is the most before any was measured", () => {
    assert.equal(new PassLimits(60).of(1), 240);
  });

  test("is the least where they are fast", () => {
    const limits = new PassLimits(60);
    limits.add(1, 0.02);
    assert.equal(limits.of(1), 60);
  });

  test("grows with what others of that size took, and by rows where none of that size did", () => {
    const limits = new PassLimits(1);
    limits.add(4, 0.2);
    assert.equal(limits.of(4), 2);
    assert.equal(limits.of(2), 2);
    assert.equal(limits.of(8), 4);
    assert.equal(limits.of(512), 4);
  });
});

describe("the watchdog of the computing threads", () => {
  test("fails what a thread does not come back from, and says once that the process must end", async () => {
    const { stage, hung, pass } = watched();
    const decoded = [stage.decode(batchOf(8)), stage.decode(batchOf(1))];
    pass(239);
    assert.deepEqual(hung, []);
    pass(1);
    for (const one of decoded) {
      await assert.rejects(one, { code: "stage_lost", message: /layers 0-4 of tiny .* 8 rows for 240 s/ });
    }
    void stage.decode(batchOf(1)).catch(() => {});
    pass(1000);
    assert.equal(hung.length, 1);
  });

  test("gives each its time from when the one before is done", async () => {
    const { stage, done, hung, pass } = watched();
    const decoded = Array.from({ length: 5 }, () => stage.decode(batchOf(1)));
    for (const one of decoded) {
      pass(50);
      done.shift()?.();
      await one;
    }
    assert.deepEqual(hung, []);
  });

  test("does not count the time in which this process was stopped", () => {
    const { stage, watchdog, hung, time } = watched();
    void stage.decode(batchOf(1)).catch(() => {});
    time.now += 3_600_000;
    watchdog.look();
    assert.deepEqual(hung, []);
  });

  test("breaks the ring of a thread that hangs", async () => {
    const { stage, pass } = watched();
    const pipeline = new LocalPipeline(stage, { monotonic: () => 0, wall: () => 0 });
    const run = pipeline.run(new RingBatchBuilder(1).build(), () => {});
    pass(300);
    await assert.rejects(run, { code: "stage_lost" });
    assert.equal(pipeline.broken?.code, "stage_lost");
  });

  test("passes on what a stage answers and how it fails", async () => {
    const { stage, done, watchdog } = watched();
    const decoded = stage.decode(batchOf(1));
    done[0]?.();
    assert.equal(await decoded, RESULT);
    const failure = new ExoError("context_exceeded", "No room.");
    const failing = watchdog.watch({ decode: () => Promise.reject(failure), close: async () => {} }, "it");
    await assert.rejects(failing.decode(batchOf(1)), failure);
  });
});
