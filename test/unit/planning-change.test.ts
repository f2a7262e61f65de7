import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { modelCost } from "../../src/planning/cost.js";
import { reloadSeconds, type SupplySpeed, worthRePlanning } from "../../src/planning/re-plan.js";
import { placeReplicas } from "../../src/planning/replicas.js";
import { bothWays, speedOf, speedsOf } from "../support/measured-cluster.js";
import { MIB, modelOf, NEEDS, nodeOf } from "./planning-models.js";

const LAYERS = 10;
const INFO = modelOf(new Array<number>(LAYERS).fill(10 * MIB), { embeddingBytes: 0, outputBytes: 0 });
const COST = modelCost(INFO, NEEDS);

describe("time to load another ring", () => {
  const supply = (onDisk: boolean): SupplySpeed => ({
    fetchBytesPerSecond: 10 * MIB,
    loadBytesPerSecond: 100 * MIB,
    onDisk: () => onDisk,
  });
  const reload = (wanted: readonly [string, number, number][], onDisk: boolean, liveTokens = 0): number =>
    reloadSeconds({
      cost: COST,
      wanted: wanted.map(([nodeId, layerBegin, layerEnd]) => ({ nodeId, layerBegin, layerEnd })),
      supply: new Map([
        ["a", supply(onDisk)],
        ["b", supply(onDisk)],
      ]),
      liveTokens,
      prefillTokensPerSecond: 100,
    });

  test("counts every stage, for a ring is closed as a whole", () => {
    assert.equal(
      reload(
        [
          ["a", 0, 5],
          ["b", 5, 10],
        ],
        true,
      ),
      0.5,
    );
  });

  test("is that of the slowest node, with what it has to fetch", () => {
    assert.equal(
      reload(
        [
          ["a", 0, 4],
          ["b", 4, 10],
        ],
        true,
      ),
      0.6,
    );
    assert.equal(
      reload(
        [
          ["a", 0, 4],
          ["b", 4, 10],
        ],
        false,
      ),
      6.6,
    );
  });

  test("counts what was said so far, which is computed again", () => {
    assert.equal(
      reload(
        [
          ["a", 0, 5],
          ["b", 5, 10],
        ],
        true,
        500,
      ),
      5.5,
    );
  });
});

describe("changing a ring", () => {
  const decide = (now: number, next: number, reload: number) =>
    worthRePlanning({ now, next, reloadSeconds: reload, horizonSeconds: 600 });

  test("pays when the gain over the horizon is more than what is lost while loading", () => {
    assert.equal(decide(10, 20, 60).worthIt, true);
    assert.match(decide(10, 20, 60).reason, /20\.0 tokens\/s instead of 10\.0 tokens\/s, and loading it takes 60 s/);
    assert.equal(decide(10, 20, 301).worthIt, false);
    assert.match(decide(10, 20, 400).reason, /does not pay within 600 s/);
  });

  test("does not pay for a gain that may be chance, however cheap", () => {
    assert.equal(decide(10, 10.9, 0).worthIt, false);
  });
});

describe("replicas", () => {
  const speeds = speedsOf({ a: speedOf(LAYERS, 1), b: speedOf(LAYERS, 1), c: speedOf(LAYERS, 30) }, [
    ...bothWays("a", "b", 5),
    ...bothWays("b", "c", 5),
    ...bothWays("a", "c", 5),
  ]);
  const nodes = ["a", "b", "c"].map((name) => nodeOf(name, 900 * MIB));
  const request = { model: "m", info: INFO, topology: { nodes }, needs: { ...NEEDS, slots: 4 }, speeds };

  test("a copy on each quick node, where a ring of them gives less", () => {
    const { plans, reason, tokensPerSecond } = placeReplicas({ ...request, strategy: "throughput" });
    assert.deepEqual(
      plans.map(({ head, stages }) => [head, stages.length]),
      [
        ["a", 1],
        ["b", 1],
      ],
    );
    assert.match(reason, /placed 2 times/);
    const one = plans[0]?.predicted?.decodeTokensPerSecond ?? 0;
    assert.ok(tokensPerSecond !== null && tokensPerSecond > 1.9 * one);
  });

  test("one plan for one stream, and where something else is asked for", () => {
    for (const other of [
      { strategy: "latency" as const },
      { strategy: "throughput" as const, minNodes: 2 },
      { strategy: "throughput" as const, head: "b" },
      { strategy: "throughput" as const, speeds: null },
    ]) {
      assert.equal(placeReplicas({ ...request, ...other }).plans.length, 1, JSON.stringify(other));
    }
  });

  test("one plan where no two nodes hold the model", () => {
    const small = ["a", "b", "c"].map((name) => nodeOf(name, 60 * MIB));
    const { plans } = placeReplicas({ ...request, topology: { nodes: small }, strategy: "throughput" });
    assert.equal(plans.length, 1);
  });
});
