import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { indexOfLargest, klDivergence, logProbabilities, perplexity } from "../../benchmarks/quality/divergence.js";
import { scoreOf } from "../../benchmarks/quality/score.js";
import { rangesOf, variantsFor } from "../../benchmarks/quality/variants.js";

const logs = (...probabilities: number[]): Float64Array => Float64Array.from(probabilities, Math.log);

function near(actual: number, expected: number, tolerance = 1e-9): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

describe("probabilities of logits", () => {
  test("are what softmax says, however large the logits", () => {
    const [a = 0, b = 0] = logProbabilities(Float32Array.of(1000, 1000 + Math.log(3)));
    near(Math.exp(a), 0.25, 1e-4);
    near(Math.exp(b), 0.75, 1e-4);
  });

  test("add up to one", () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1, maxLength: 50, noNaN: true, min: -80, max: 80 }), (logits) => {
        near(
          logProbabilities(logits).reduce((sum, log) => sum + Math.exp(log), 0),
          1,
        );
      }),
    );
  });
});

describe("divergence", () => {
  test("of known distributions", () => {
    near(klDivergence(logs(0.5, 0.5), logs(0.5, 0.5)), 0);
    // 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75)
    near(klDivergence(logs(0.5, 0.5), logs(0.25, 0.75)), 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3));
    near(klDivergence(logs(0.25, 0.75), logs(0.5, 0.5)), 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5));
    near(klDivergence(logs(1, 0), logs(0.5, 0.5)), Math.log(2));
    assert.equal(klDivergence(logs(0.5, 0.5), logs(1, 0)), Infinity);
  });

  test("is never below zero", () => {
    const logits = fc.float32Array({ minLength: 8, maxLength: 8, noNaN: true, min: -30, max: 30 });
    fc.assert(
      fc.property(logits, logits, (a, b) => {
        assert.ok(klDivergence(logProbabilities(a), logProbabilities(b)) >= 0);
      }),
    );
  });
});

test("perplexity is the number of choices that are as likely as each other", () => {
  near(perplexity([0.25, 0.25, 0.25].map(Math.log)), 4);
  near(perplexity([0.5, 0.125].map(Math.log)), 4);
  near(perplexity([0]), 1);
});

test("a score holds one opinion against another", () => {
  const exact = { logProbabilities: [logs(0.5, 0.5), logs(0.9, 0.1)], ofText: [0.5].map(Math.log) };
  const other = { logProbabilities: [logs(0.25, 0.75), logs(0.9, 0.1)], ofText: [0.25].map(Math.log) };
  assert.equal(indexOfLargest(logs(0.1, 0.7, 0.2)), 1);
  const score = scoreOf(exact, other);
  near(score.perplexity, 4);
  near(score.divergence.mean, (0.5 * Math.log(2) + 0.5 * Math.log(2 / 3)) / 2);
  near(score.divergence.max, 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3));
  assert.equal(score.sameChoice, 0.5);
  const same = scoreOf(exact, exact);
  assert.deepEqual(same.divergence, { mean: 0, p99: 0, max: 0 });
  assert.equal(same.sameChoice, 1);
});

describe("variants", () => {
  test("ranges cover all layers once, in order", () => {
    assert.deepEqual(rangesOf(22, 2), [
      [0, 11],
      [11, 22],
    ]);
    assert.deepEqual(rangesOf(22, 3), [
      [0, 7],
      [7, 15],
      [15, 22],
    ]);
  });

  test("leave out what a model cannot have", () => {
    const names = variantsFor(40, 10).map((variant) => variant.name);
    assert.ok(names.includes("3 stages, wire f16"));
    assert.ok(!names.some((name) => name.includes("q8_0") || name.includes("q4_0")));
    assert.equal(new Set(variantsFor(2048, 64).map((variant) => variant.name)).size, 12);
  });
});
