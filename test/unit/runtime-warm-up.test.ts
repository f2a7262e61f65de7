import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { RingBatch } from "../../src/runtime/micro-batch.js";
import type { Pipeline, PipelineResult } from "../../src/runtime/pipeline.js";
import { warmUp } from "../../src/runtime/warm-up.js";

const NOTHING: PipelineResult = {
  samples: [],
  pooled: null,
  timings: { total: 0, compute: 0, queue: 0 },
  way: null,
};

/** A way round that takes `milliseconds` of the clock that it moves itself. */
function way(milliseconds: number, failsAt = Number.POSITIVE_INFINITY) {
  let now = 1000;
  let underWay = 0;
  const seen = { sent: 0, mostUnderWay: 0, rows: 0 };
  const pipeline: Pipeline = {
    stageCount: 2,
    broken: null,
    onBroken: () => {},
    close: async () => {},
    run: async (batch: RingBatch) => {
      seen.sent += 1;
      seen.rows += batch.rowCount;
      underWay += 1;
      seen.mostUnderWay = Math.max(seen.mostUnderWay, underWay);
      await Promise.resolve();
      now += milliseconds;
      underWay -= 1;
      if (seen.sent >= failsAt) throw new ExoError("stage_lost", "gone");
      return NOTHING;
    },
  };
  const clock = { wall: () => now, monotonic: () => now };
  return { pipeline, clock, seen };
}

describe("the warm-up of a new ring", () => {
  test("goes round many times with nothing to compute, several at once", async () => {
    const { pipeline, clock, seen } = way(0.5);
    await warmUp(pipeline, clock);
    assert.ok(seen.sent > 500, `${seen.sent} sent`);
    assert.equal(seen.rows, 0);
    assert.ok(seen.mostUnderWay > 1);
  });

  test("ends after a short time on slow links, and after enough on fast ones", async () => {
    const slow = way(100);
    await warmUp(slow.pipeline, slow.clock);
    assert.ok(slow.seen.sent < 20, `${slow.seen.sent} sent`);
    const fast = way(0);
    await warmUp(fast.pipeline, fast.clock);
    assert.ok(fast.seen.sent >= 3000 && fast.seen.sent < 3100, `${fast.seen.sent} sent`);
  });

  test("fails when the ring does", async () => {
    const { pipeline, clock } = way(0.5, 40);
    await assert.rejects(warmUp(pipeline, clock), { code: "stage_lost" });
  });
});
