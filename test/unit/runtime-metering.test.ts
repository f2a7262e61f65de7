import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRows } from "../../src/native/micro-batch.js";
import type { DecodeResult } from "../../src/native/stage.js";
import { HopTimes } from "../../src/runtime/hop-times.js";
import { MeteredStage } from "../../src/runtime/metered-stage.js";

const rows = (count: number) =>
  encodeRows(Array.from({ length: count }, (_, position) => ({ sequence: 0, position, token: 1, output: false })));

function stageThatTakes(computeSeconds: number, copies: number) {
  const result: DecodeResult = {
    activations: null,
    samples: [],
    pooled: null,
    logits: null,
    copies,
    computeSeconds,
    queueSeconds: 0,
    samplingSeconds: 0,
  };
  return { decode: async () => result, close: async () => {} };
}

describe("what a stage did", () => {
  test("is summed over its micro-batches", async () => {
    const stage = new MeteredStage(stageThatTakes(0.25, 1));
    await stage.decode({ rows: rows(3) });
    await stage.decode({ rows: rows(1) });
    assert.deepEqual(stage.work({ framesSent: 2, bytesSent: 700 }), {
      microBatches: 2,
      rows: 4,
      copies: 2,
      computeSeconds: 0.5,
      framesSent: 2,
      bytesSent: 700,
    });
  });

  test("does not count what could not be computed", async () => {
    const stage = new MeteredStage({ decode: () => Promise.reject(new Error("no")), close: async () => {} });
    await assert.rejects(stage.decode({ rows: rows(1) }), /no/);
    assert.equal(stage.work().microBatches, 0);
  });
});

describe("what hops cost", () => {
  test("is the rest of the way round, shared among the hops", () => {
    const times = new HopTimes(2);
    assert.equal(times.summary(), null);
    times.record({ total: 0.01, compute: 0.006, queue: 0.001 });
    const summary = times.summary();
    assert.equal(summary?.samples, 1);
    assert.ok(Math.abs((summary?.p50 ?? 0) - 1.5) < 1e-9);
  });

  test("is told of the last 256 ways round", () => {
    const times = new HopTimes(1);
    for (let index = 0; index < 1000; index += 1) times.record({ total: 5, compute: 0, queue: 0 });
    for (let index = 0; index < 256; index += 1) times.record({ total: index / 1000, compute: 0, queue: 0 });
    const { samples, p50, p99 } = times.summary() ?? assert.fail();
    assert.equal(samples, 256);
    assert.ok(Math.abs(p50 - 127.5) < 1e-9 && Math.abs(p99 - 252.45) < 1e-9);
  });

  test("is never negative, whatever clocks of several machines say", () => {
    const times = new HopTimes(2);
    times.record({ total: 0.001, compute: 0.002, queue: 0 });
    assert.equal(times.summary()?.p50, 0);
  });
});
