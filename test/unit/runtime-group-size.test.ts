import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { GroupSizer } from "../../src/runtime/group-size.js";
import { PrefillPolicy } from "../../src/runtime/prefill-policy.js";

/** Lets a sizer choose and learn until it stays with its choice. */
function settle(stages: number, requests: number, compute: (rows: number) => number, overhead: number): number {
  const sizer = new GroupSizer(stages);
  for (let round = 0; round < 60; round += 1) {
    const rows = sizer.choose(requests);
    sizer.record(rows, compute(rows), overhead);
  }
  return sizer.choose(requests);
}

/** Seconds in which each request gets one token. */
function round(stages: number, requests: number, rows: number, compute: (rows: number) => number, overhead: number) {
  return Math.max(compute(rows) + overhead, (Math.ceil(requests / rows) * compute(rows)) / stages);
}

describe("GroupSizer", () => {
  test("keeps everybody together on one node", () => {
    assert.equal(
      settle(1, 8, (rows) => rows, 0),
      8,
    );
  });

  test("splits over the stages where the time grows with the rows", () => {
    assert.equal(
      settle(2, 4, (rows) => rows * 0.05, 0.001),
      2,
    );
    assert.equal(
      settle(4, 8, (rows) => rows * 0.05, 0.001),
      2,
    );
  });

  test("follows a curve with steps: two rows cost as much as four, so groups are of four", () => {
    assert.equal(
      settle(2, 8, (rows) => [0, 24, 48, 48, 48, 90, 92, 94, 96][rows] ?? 100, 1),
      4,
    );
  });

  test("is not misled by one bad measurement", () => {
    const sizer = new GroupSizer(2);
    let slow = true;
    for (let round = 0; round < 60; round += 1) {
      const rows = sizer.choose(8);
      sizer.record(rows, rows * 0.05 * (slow && rows === 4 ? 10 : 1), 0.001);
      if (rows === 4) slow = false;
    }
    assert.equal(sizer.choose(8), 4);
  });

  test("makes more groups than stages where links are slow", () => {
    const rows = settle(2, 8, (count) => 10 + count, 60);
    assert.ok(8 / rows > 2, `${rows} rows in a group`);
  });

  test("settles for the best of any curve, or about as good", () => {
    const curve = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 2, max: 12 }), curve, (stages, requests, steps) => {
        // Time never falls with more rows.
        const compute = (rows: number): number => 10 + steps.slice(0, rows).reduce((sum, step) => sum + step, 0);
        const chosen = round(stages, requests, settle(stages, requests, compute, 5), compute, 5);
        const sizes = Array.from({ length: requests }, (_, index) => Math.ceil(requests / (index + 1)));
        const best = Math.min(...sizes.map((rows) => round(stages, requests, rows, compute, 5)));
        assert.ok(chosen <= best * 1.031, `${chosen} where ${best} is possible`);
      }),
    );
  });
});

describe("PrefillPolicy", () => {
  test("takes all that fits on one node, and a short prompt in one anywhere", () => {
    assert.equal(new PrefillPolicy(1, 512).chunk(4000, false), 512);
    assert.ok(new PrefillPolicy(3, 512).chunk(60, false) >= 60);
  });

  test("cuts a long prompt in a ring so that the pipeline fills", () => {
    const chunk = new PrefillPolicy(2, 512).chunk(2048, false);
    assert.ok(2048 / chunk >= 8 && chunk >= 128, `${chunk} rows`);
  });

  test("does not keep others waiting for long once it knows what a row costs", () => {
    const policy = new PrefillPolicy(1, 512);
    policy.record(512, 5.12);
    assert.ok(policy.chunk(4000, true) * 0.01 <= 0.5);
    assert.equal(policy.chunk(4000, false), 512);
  });
});
