import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRows } from "../../src/native/micro-batch.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import { observe } from "../../src/runtime/probe/predicted-work.js";
import { WorkByRows, workSince } from "../../src/runtime/work-by-rows.js";

/** Rows of one sequence from a position on. */
function rows(count: number, position = 0, sequence = 0): Uint8Array {
  const list = Array.from({ length: count }, (_, index) => ({
    sequence,
    position: position + index,
    token: 1,
    output: false,
  }));
  return encodeRows(list);
}

const SPEED: ModelSpeed = {
  kinds: [
    {
      passes: [
        { rows: 1, seconds: 0.01 },
        { rows: 101, seconds: 0.11 },
      ],
      perCachedToken: 1e-6,
    },
  ],
  kindOfLayer: [0, 0, 0, 0],
  output: [{ rows: 1, seconds: 0.02 }],
  perPass: 0.005,
};

describe("a stage's work by the size of micro-batches", () => {
  test("counts rows, time and what lay in the cache before", () => {
    const work = new WorkByRows();
    work.add(rows(1, 100), 0.5);
    work.add(rows(1, 200), 0.25);
    work.add(rows(64, 1000), 2);
    const [single, ...others] = work.snapshot().filter(({ microBatches }) => microBatches > 0);
    assert.deepEqual(single, { microBatches: 2, rows: 2, cachedTokens: 300, computeSeconds: 0.75 });
    assert.deepEqual(others, [{ microBatches: 1, rows: 64, cachedTokens: 64_000, computeSeconds: 2 }]);
  });

  test("counts each sequence's own tokens", () => {
    const work = new WorkByRows();
    work.add(Buffer.concat([rows(2, 10, 0), rows(3, 100, 1)]), 1);
    const [one] = work.snapshot().filter(({ microBatches }) => microBatches > 0);
    assert.equal(one?.cachedTokens, 2 * 10 + 3 * 100);
  });

  test("leaves out what has no rows, and takes damaged positions for 0", () => {
    const work = new WorkByRows();
    work.add(rows(0), 1);
    work.add(rows(1, -5), 1);
    const all = work.snapshot().filter(({ microBatches }) => microBatches > 0);
    assert.deepEqual(all, [{ microBatches: 1, rows: 1, cachedTokens: 0, computeSeconds: 1 }]);
  });

  test("tells what was done between two looks", () => {
    const work = new WorkByRows();
    work.add(rows(1), 1);
    const before = work.snapshot();
    work.add(rows(1, 7), 2);
    const [single] = workSince(work.snapshot(), before);
    assert.deepEqual(single, { microBatches: 1, rows: 1, cachedTokens: 7, computeSeconds: 2 });
    assert.deepEqual(workSince(before, [])[0], before[0]);
  });
});

describe("what the probe says of a stage's work", () => {
  test("few rows: layers, cache, pass and output head", () => {
    const work = [{ microBatches: 10, rows: 10, cachedTokens: 5_000, computeSeconds: 1 }];
    const inner = observe(SPEED, { layerBegin: 1, layerEnd: 3, hasOutput: false }, work);
    assert.equal(inner.few.measured, 1);
    assert.ok(Math.abs(inner.few.predicted - 10 * (2 * (0.01 + 500e-6) + 0.005)) < 1e-9);
    assert.deepEqual(inner.many, { measured: 0, predicted: 0 });
    const whole = observe(SPEED, { layerBegin: 0, layerEnd: 4, hasOutput: true }, work);
    assert.ok(Math.abs(whole.few.predicted - 10 * (4 * (0.01 + 500e-6) + 0.005 + 0.02)) < 1e-9);
  });

  test("many rows: the output head of one of them", () => {
    const work = [{ microBatches: 2, rows: 102, cachedTokens: 0, computeSeconds: 1 }];
    const { few, many } = observe(SPEED, { layerBegin: 0, layerEnd: 4, hasOutput: true }, work);
    assert.deepEqual(few, { measured: 0, predicted: 0 });
    assert.ok(Math.abs(many.predicted - 2 * (4 * 0.06 + 0.005 + 0.02)) < 1e-9);
  });

  test("the output head alone", () => {
    const work = [{ microBatches: 3, rows: 3, cachedTokens: 0, computeSeconds: 1 }];
    const { few } = observe(SPEED, { layerBegin: 4, layerEnd: 4, hasOutput: true }, work);
    assert.ok(Math.abs(few.predicted - 3 * (0.005 + 0.02)) < 1e-9);
  });
});
