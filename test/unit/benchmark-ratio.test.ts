import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ratioOf } from "../../benchmarks/ratio.js";

describe("how one subject stands to another", () => {
  test("rounds are compared with each other, so that a machine that slows down between them changes nothing", () => {
    const fast = [100, 50, 25];
    const slow = [50, 25, 12.5];
    assert.deepEqual(ratioOf(fast, slow), { median: 2, min: 2, max: 2 });
  });

  test("with rounds missing the medians are compared; nothing measured is NaN", () => {
    assert.deepEqual(ratioOf([10, 20], [5, 5, 5]), { median: 3, min: 3, max: 3 });
    assert.ok(Number.isNaN(ratioOf([], [1]).median));
  });
});
