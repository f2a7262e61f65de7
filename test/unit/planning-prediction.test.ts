import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeSpeed, prefillSpeed, streamsSpeed } from "../../benchmarks/simulate/measures.js";
import type { RingSpec, StageCost } from "../../benchmarks/simulate/stage-cost.js";
import { passCosts, passSeconds } from "../../src/planning/pass-time.js";
import { placeModel } from "../../src/planning/placement.js";
import { predictRing } from "../../src/planning/predict.js";
import type { RingProblem, RingStage } from "../../src/planning/ring/ring-problem.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import { bothWays, problemOf, speedOf, speedsOf } from "../support/measured-cluster.js";
import { modelOf, NEEDS, nodeOf } from "./planning-models.js";

const LAYERS = 24;
const PROMPT = 512;
const ANSWER = 64;

/** Three unlike nodes, one of them behind a slow link, in this very order. */
function ringOf(ends: readonly number[], linkMs: number): { problem: RingProblem; ring: readonly RingStage[] } {
  const names = ["a", "b", "c"].slice(0, ends.length);
  const speeds = names.map((name, index) => [name, speedOf(LAYERS, [1.5, 1, 2][index] ?? 1, 3, 0.2)]);
  const links = [...bothWays("a", "b", 0.1, 1000), ...bothWays("b", "c", linkMs), ...bothWays("c", "a", linkMs)];
  const problem = problemOf({
    model: "m",
    info: modelOf(new Array<number>(LAYERS).fill(1000), { embeddingSize: 2048 }),
    topology: { nodes: names.map((name) => nodeOf(name, 2 ** 32)) },
    needs: { ...NEEDS, contextSize: 2048 },
    speeds: speedsOf(Object.fromEntries(speeds), links),
  });
  const ring = ends.map((end, node) => ({ node, begin: ends[node - 1] ?? 0, end }));
  return { problem: { ...problem, cachedTokens: PROMPT }, ring };
}

/** The same ring for the simulator, which runs the real scheduler on it. */
function simulated({ nodes, links, rowBytes }: RingProblem, ring: readonly RingStage[]): RingSpec {
  const stages = ring.map(({ node, begin, end }): StageCost => {
    const speed = nodes[node]?.speed ?? speedOf(LAYERS, 1);
    return {
      layers: ({ rows, attended, cached }) => {
        // What rows of one prompt see of each other is in the time of the pass itself.
        const own = cached === attended ? rows : (rows * (rows + 1)) / 2;
        const { upTo, fixed } = passCosts(speed, rows, (attended - own) / Math.max(1, rows), 0);
        return fixed + (upTo[end] ?? 0) - (upTo[begin] ?? 0);
      },
      output: (rows) => passSeconds(speed.output, rows),
    };
  });
  const hops = ring.map(({ node }, index) => links[node]?.[ring[(index + 1) % ring.length]?.node ?? 0]);
  return {
    stages,
    links: hops.map((link) => ({
      latency: link?.seconds ?? 0,
      bytesPerSecond: link?.bytesPerSecond ?? 1,
      overhead: 0,
    })),
    rowBytes: rowBytes[0] ?? 0,
  };
}

function assertNear(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual / expected - 1) <= tolerance, `${what}: predicted ${actual}, simulated ${expected}`);
}

const RINGS: readonly [string, readonly number[], number][] = [
  ["one node", [24], 1],
  ["two nodes", [9, 24], 1],
  ["three nodes with quick links", [8, 18, 24], 0.2],
  ["three nodes with slow links", [8, 18, 24], 8],
];

describe("what is predicted of a ring is what the scheduler does with it in simulation:", () => {
  for (const [what, ends, linkMs] of RINGS) {
    test(what, async () => {
      const { problem, ring } = ringOf(ends, linkMs);
      const spec = simulated(problem, ring);
      const slots = 6;
      const predicted = predictRing(problem, ring, {
        promptTokens: PROMPT,
        microBatchSize: 512,
        slots,
        textTokens: null,
      });
      const settings = { ubatch: 512, promptTokens: PROMPT, answerTokens: ANSWER, shortPrompt: PROMPT - ANSWER / 2 };
      const first = await prefillSpeed(spec, settings);
      assertNear(predicted.ttftSeconds, first.firstSeconds, 0.05, "first token");
      const one = await decodeSpeed(spec, settings);
      assertNear(predicted.decodeTokensPerSecond, one.tokensPerSecond, 0.02, "one stream");
      const together = await streamsSpeed(spec, slots, { ...settings, shortPrompt: 4, answerTokens: 400 });
      assertNear(predicted.aggregateTokensPerSecond, together.tokensPerSecond, 0.15, "streams together");
    });
  }
});

describe("of a model that reads texts whole, for their embeddings,", () => {
  const info = modelOf(new Array<number>(4).fill(1000), {
    texts: { pooling: "mean", wholeTexts: true, encoder: true },
  });
  const needs = { ...NEEDS, contextSize: 2048, slots: 2 };
  // A token alone is quicker on a, a text on b.
  const perText = (one: number, many: number): ModelSpeed => {
    const passes = [
      { rows: 1, seconds: one / 1000 },
      { rows: 512, seconds: many / 1000 },
    ];
    const kind = { passes, perCachedToken: 1, perCachedTokenOfMany: 1 };
    return { kinds: [kind], kindOfLayer: [0, 0, 0, 0], output: [{ rows: 1, seconds: 1e-6 }], perPass: 0 };
  };
  const request = {
    model: "m",
    info,
    needs,
    topology: { nodes: [nodeOf("a", 2 ** 32), nodeOf("b", 2 ** 32)] },
    speeds: speedsOf({ a: perText(1, 100), b: perText(2, 50) }, bothWays("a", "b", 1)),
  };

  test("the time of a text counts, and is told", () => {
    const plan = placeModel(request);
    assert.equal(plan.head, "b");
    assert.ok(plan.predicted !== null);
    const { textTokens, ttftSeconds, decodeTokensPerSecond, aggregateTokensPerSecond } = plan.predicted;
    assert.equal(textTokens, 512);
    // The output head's one size counts in proportion.
    assertNear(ttftSeconds, 4 * 0.05, 0.01, "a text");
    assertNear(decodeTokensPerSecond, 512 / 0.2, 0.01, "texts one by one");
    assertNear(aggregateTokensPerSecond, 512 / 0.2, 0.03, "two at once, on one node");
    const text = plan.reasons.join("\n");
    assert.match(text, /^This is the quickest placement for one text to embed\.$/m);
    assert.match(text, /^Predicted: embeddings: 25\d\d tokens\/s .*; a text of 512 tokens takes 20\d ms\.$/m);
    assert.match(text, /It computes such a text in 20\d ms\.$/m);
    assert.doesNotMatch(text, /first token/);
  });

  test("a short context makes short texts", () => {
    const predicted = placeModel({ ...request, needs: { ...needs, contextSize: 128 } }).predicted;
    assert.equal(predicted?.textTokens, 128);
  });
});

describe("time of a pass", () => {
  const passes = [
    { rows: 1, seconds: 1 },
    { rows: 4, seconds: 4 },
    { rows: 8, seconds: 6 },
  ];

  test("lies between the nearest sizes, and goes on as steeply beyond the last", () => {
    assert.equal(passSeconds(passes, 1), 1);
    assert.equal(passSeconds(passes, 2), 2);
    assert.equal(passSeconds(passes, 6), 5);
    assert.equal(passSeconds(passes, 12), 8);
    assert.equal(passSeconds(passes, 0), 0);
  });

  test("of one measured size: as much for fewer rows, in proportion for more", () => {
    const one = [{ rows: 4, seconds: 2 }];
    assert.equal(passSeconds(one, 1), 2);
    assert.equal(passSeconds(one, 8), 4);
  });

  test("never falls where measurements scatter", () => {
    const scattered = [
      { rows: 1, seconds: 1.1 },
      { rows: 2, seconds: 1 },
    ];
    assert.equal(passSeconds(scattered, 100), 1);
  });

  test("grows with what is cached, and for each row of a prompt by less than for a token alone", () => {
    const [kind] = speedOf(1, 1).kinds;
    assert.ok(kind !== undefined);
    const speed = { ...speedOf(1, 1), kinds: [{ ...kind, perCachedToken: 5e-7, perCachedTokenOfMany: 1e-7 }] };
    const added = (rows: number): number =>
      (passCosts(speed, rows, 1000, 0).upTo[1] ?? 0) - (passCosts(speed, rows, 0, 0).upTo[1] ?? 0);
    assert.ok(Math.abs(added(1) - 1000 * 5e-7) < 1e-9);
    assert.ok(Math.abs(added(16) - 16 * 1000 * 5e-7) < 1e-9);
    assert.ok(Math.abs(added(128) - 128 * 1000 * 1e-7) < 1e-9);
  });
});
