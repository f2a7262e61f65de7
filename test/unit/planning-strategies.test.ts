import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type PlacementRequest, placeModel } from "../../src/planning/placement.js";
import type { Plan } from "../../src/planning/plan.js";
import { bothWays, speedOf, speedsOf } from "../support/measured-cluster.js";
import { MIB, modelOf, NEEDS, nodeOf } from "./planning-models.js";

const LAYERS = 20;
const INFO = modelOf(new Array<number>(LAYERS).fill(10 * MIB));
const AMPLE = 900 * MIB;

function place(request: Partial<PlacementRequest>): Plan {
  return placeModel({ model: "m", info: INFO, topology: { nodes: [] }, needs: { ...NEEDS, slots: 4 }, ...request });
}

const ranges = (plan: Plan): readonly string[] =>
  plan.stages.map(({ nodeId, layerBegin, layerEnd }) => `${nodeId} ${layerBegin}-${layerEnd}`);

const TWO = { nodes: [nodeOf("a", AMPLE), nodeOf("b", AMPLE)] };
const ALIKE = speedsOf({ a: speedOf(LAYERS, 1), b: speedOf(LAYERS, 1) }, bothWays("a", "b", 0.2));

describe("strategies", () => {
  test("latency: one node is quicker than two alike, and the plan says so", () => {
    const plan = place({ topology: TWO, speeds: ALIKE });
    assert.deepEqual(ranges(plan), ["a 0-20"]);
    const text = plan.reasons.join("\n");
    assert.match(text, /It is not split, because a alone is quicker: on two nodes it would be \d+/);
    assert.match(text, /b is not used: with it the best would be [\d.]+ tokens\/s, without it is [\d.]+ tokens\/s/);
  });

  test("latency: of unlike nodes the quicker one is taken, whichever has more memory", () => {
    const speeds = speedsOf({ a: speedOf(LAYERS, 4), b: speedOf(LAYERS, 1) }, bothWays("a", "b", 0.2));
    const nodes = [nodeOf("a", 4 * AMPLE), nodeOf("b", AMPLE)];
    assert.deepEqual(ranges(place({ topology: { nodes }, speeds })), ["b 0-20"]);
  });

  test("latency: what does not fit the quick node goes to the slow one, and no more than that", () => {
    const speeds = speedsOf({ a: speedOf(LAYERS, 4), b: speedOf(LAYERS, 1) }, bothWays("a", "b", 0.2));
    const nodes = [nodeOf("a", AMPLE), nodeOf("b", 150 * MIB)];
    const plan = place({ topology: { nodes }, speeds });
    const quick = plan.stages.find(({ nodeId }) => nodeId === "b");
    assert.equal(plan.stages.length, 2);
    assert.ok(quick !== undefined && quick.layerEnd - quick.layerBegin >= 11, ranges(plan).join());
    assert.match(plan.reasons.join("\n"), /It is split because that is quicker than a alone/);
  });

  test("throughput: two alike share the layers evenly, the head less because of the output head", () => {
    const speeds = speedsOf({ a: speedOf(LAYERS, 1, 4), b: speedOf(LAYERS, 1, 4) }, bothWays("a", "b", 0.2));
    const plan = place({ topology: TWO, speeds, strategy: "throughput" });
    assert.deepEqual(ranges(plan), ["a 0-8", "b 8-20"]);
    const { predicted } = plan;
    assert.ok(predicted !== null && predicted.aggregateTokensPerSecond > 1.5 * predicted.decodeTokensPerSecond);
  });

  test("throughput: a slow link makes it stay on one node", () => {
    const speeds = speedsOf({ a: speedOf(LAYERS, 1), b: speedOf(LAYERS, 1) }, bothWays("a", "b", 400));
    assert.equal(place({ topology: TWO, speeds, strategy: "throughput" }).stages.length, 1);
  });

  test("the order of nodes follows the links", () => {
    const names = ["a", "b", "c", "d"];
    const near = new Set(["a c", "c b", "b d", "d a"]);
    const links = names.flatMap((from) =>
      names
        .filter((to) => to !== from)
        .map((to) => ({
          from,
          to,
          seconds: near.has(`${from} ${to}`) ? 0.0001 : 0.02,
          bytesPerSecond: 1e9,
        })),
    );
    const speeds = speedsOf(Object.fromEntries(names.map((name) => [name, speedOf(LAYERS, 1)])), links);
    const nodes = names.map((name) => nodeOf(name, 90 * MIB));
    const plan = place({ topology: { nodes }, speeds });
    const order = plan.stages.map(({ nodeId }) => nodeId).join("");
    assert.ok("acbdacbd".includes(order), order);
    assert.equal(order.length, 4);
  });

  test("a head that is asked for is the head, whatever it costs", () => {
    const plan = place({ topology: TWO, speeds: ALIKE, head: "b" });
    assert.equal(plan.head, "b");
  });

  test("at least so many nodes as are asked for are used, and the plan says what one would give", () => {
    const plan = place({ topology: TWO, speeds: ALIKE, minNodes: 2 });
    assert.equal(plan.stages.length, 2);
    const text = plan.reasons.join("\n");
    assert.match(text, /quickest placement for one answer with at least 2 nodes/);
    assert.match(text, /At least 2 nodes were asked for \(--min-nodes\)/);
    assert.match(text, /One node alone would be quicker: [ab] with/);
  });

  test("latency: nodes alike that are to share the layers share them evenly, though one answer gains nothing by that", () => {
    const plan = place({ topology: TWO, speeds: ALIKE, minNodes: 2 });
    const [head, other] = plan.stages.map(({ layerBegin, layerEnd }) => layerEnd - layerBegin);
    assert.ok(Math.abs((head ?? 0) - (other ?? 0)) <= 2, ranges(plan).join());
  });

  test("where fewer nodes fit than are asked for, as many as fit are used", () => {
    const nodes = [nodeOf("a", AMPLE), nodeOf("b", 1 * MIB)];
    const plan = place({ topology: { nodes }, speeds: ALIKE, minNodes: 2 });
    assert.deepEqual(ranges(plan), ["a 0-20"]);
    assert.match(plan.reasons.join("\n"), /2 nodes were asked for \(--min-nodes\), but/);
    assert.match(plan.reasons.join("\n"), /b is not used: it offers 1\.00 MiB, which holds no layer/);
  });

  test("without any speeds layers go by memory, and the plan says that nothing is measured", () => {
    const plan = place({ topology: TWO, speeds: null });
    assert.equal(plan.strategy, "memory-weighted");
    assert.equal(plan.predicted, null);
    assert.match(plan.reasons[0] ?? "", /nothing is measured yet/);
    // What is known is of a node that has left, and what a node says of another model is no speed of this one.
    for (const speeds of [speedsOf({ gone: speedOf(LAYERS, 1) }), speedsOf({ a: speedOf(LAYERS + 1, 1) })]) {
      assert.match(place({ topology: TWO, speeds }).reasons[0] ?? "", /nothing is measured yet/);
    }
  });

  test("a node that is not measured yet is used only where the model needs its memory", () => {
    const speeds = speedsOf({ a: speedOf(LAYERS, 1) });
    const enough = place({ topology: TWO, speeds });
    assert.deepEqual(ranges(enough), ["a 0-20"]);
    assert.match(enough.reasons.join("\n"), /b is not used: its speed is not measured yet/);
    const nodes = [nodeOf("a", 150 * MIB), nodeOf("b", AMPLE)];
    const tooSmall = place({ topology: { nodes }, speeds });
    assert.equal(tooSmall.strategy, "memory-weighted");
    assert.match(
      tooSmall.reasons[0] ?? "",
      /the nodes whose speed is known \(\w+\) cannot hold the model by themselves/,
    );
  });

  test("speeds that cannot be of this model are not believed", () => {
    const wrong = [
      speedOf(LAYERS - 1, 1),
      { ...speedOf(LAYERS, 1), kindOfLayer: new Array<number>(LAYERS).fill(7) },
      { ...speedOf(LAYERS, 1), perPass: Number.NaN },
      { ...speedOf(LAYERS, 1), output: [] },
      speedOf(LAYERS, -1),
    ];
    for (const speed of wrong) {
      assert.equal(place({ topology: TWO, speeds: speedsOf({ a: speed, b: speed }) }).strategy, "memory-weighted");
    }
  });

  test("memory-weighted by wish predicts too, where the speeds are known", () => {
    const plan = place({ topology: TWO, speeds: ALIKE, strategy: "memory-weighted" });
    assert.deepEqual(ranges(plan), ["a 0-10", "b 10-20"]);
    assert.ok(plan.predicted !== null);
  });

  test("by hand predicts too", () => {
    const layers = [
      { node: "b", begin: 0, end: 5 },
      { node: "a", begin: 5, end: 20 },
    ];
    const plan = place({ topology: TWO, speeds: ALIKE, layers });
    assert.ok(plan.predicted !== null && plan.predicted.stages.length === 2);
  });

  test("a model that cannot be cut stays whole", () => {
    const allowed = INFO.cuts.allowed.map((_, layer) => layer === 0);
    const info = { ...INFO, cuts: { ...INFO.cuts, allowed, reason: "every layer uses values of the first" } };
    for (const strategy of ["latency", "throughput", "memory-weighted"] as const) {
      const plan = place({ info, topology: TWO, speeds: ALIKE, strategy, minNodes: 2 });
      assert.equal(plan.stages.length, 1, strategy);
      assert.match(plan.reasons.join("\n"), /every layer uses values of the first/, strategy);
    }
    const layers = [
      { node: "a", begin: 0, end: 5 },
      { node: "b", begin: 5, end: 20 },
    ];
    assert.throws(() => place({ info, topology: TWO, layers }), /cannot be cut before layer 5, because every layer/);
  });
});

describe("memory by device", () => {
  const card = (name: string, gibibytes: number) =>
    ({ name, kind: "gpu", memoryTotal: gibibytes * 2 ** 30, memoryFree: gibibytes * 2 ** 30 }) as const;
  const big = modelOf(new Array<number>(LAYERS).fill(100 * MIB), { embeddingBytes: 0, outputBytes: 0 });
  const fits = (...devices: readonly ReturnType<typeof card>[]): boolean => {
    try {
      place({ info: big, topology: { nodes: [{ id: "a", name: "a", devices, memoryCap: null }] } });
      return true;
    } catch {
      return false;
    }
  };

  test("two devices hold what each of its layers fits on", () => {
    assert.ok(fits(card("CUDA0", 2.5)));
    assert.ok(fits(card("CUDA0", 1.4), card("CUDA1", 1.4)));
  });

  test("a layer is not cut in two between devices", () => {
    // Together 2.2 GiB and room for 20 layers, but none of the small ones holds its share in whole layers.
    assert.ok(!fits(...Array.from({ length: 15 }, (_, index) => card(`CUDA${index}`, 0.15))));
  });
});
