import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ascending, quantile, spreadOf } from "../../src/core/statistics.js";

const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 });

describe("numbers of repeated measurements", () => {
  test("the median of an even number of samples lies between the middle two", () => {
    assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
    assert.deepEqual(spreadOf([7]), { median: 7, min: 7, max: 7 });
  });

  test("quantiles are interpolated between ranks", () => {
    assert.equal(quantile([10, 20, 30, 40, 50], 0.95), 48);
    assert.equal(quantile(Float64Array.of(10, 20), 0.25), 12.5);
  });

  test("nothing measured is NaN, not zero", () => {
    assert.ok(Number.isNaN(spreadOf([]).median));
    assert.ok(Number.isNaN(quantile([], 0.5)));
  });

  test("a quantile lies within the samples and grows with q", () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const sorted = ascending(values);
        const [low, middle, high] = [quantile(sorted, 0), quantile(sorted, q), quantile(sorted, 1)];
        assert.ok(low <= middle && middle <= high);
      }),
    );
  });
});
