import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { type PlacementRequest, placeModel } from "../../src/planning/placement.js";
import type { Plan } from "../../src/planning/plan.js";
import { type TopologyNode, usableMemory } from "../../src/planning/topology.js";
import { MIB, modelOf, NEEDS, nodeOf } from "./planning-models.js";

const EVEN = modelOf(new Array<number>(22).fill(10 * MIB));

function place(nodes: readonly TopologyNode[], extra: Partial<PlacementRequest> = {}): Plan {
  return placeModel({ model: "m", info: EVEN, topology: { nodes }, needs: NEEDS, ...extra });
}

function ranges(plan: Plan): readonly string[] {
  return plan.stages.map(({ nodeId, layerBegin, layerEnd }) => `${nodeId} ${layerBegin}-${layerEnd}`);
}

function refusal(run: () => unknown, code: string): string {
  try {
    run();
  } catch (thrown) {
    assert.ok(thrown instanceof ExoError);
    assert.equal(thrown.code, code);
    return thrown.message;
  }
  return assert.fail("nothing was refused");
}

describe("memory-weighted placement", () => {
  test("gives equal nodes equal ranges", () => {
    const plan = place([nodeOf("a", 900 * MIB), nodeOf("b", 900 * MIB)]);
    assert.deepEqual(ranges(plan), ["a 0-11", "b 11-22"]);
    assert.equal(plan.head, "a");
  });

  test("the head has both ends of the model, whose weights count on it", () => {
    const [head, other] = place([nodeOf("a", 900 * MIB), nodeOf("b", 900 * MIB)]).stages;
    assert.deepEqual([head?.hasEmbedding, head?.hasOutput], [true, true]);
    assert.deepEqual([other?.hasEmbedding, other?.hasOutput], [false, false]);
    assert.equal(head?.memory.weights, (11 * 10 + 20 + 10) * MIB);
    assert.equal(other?.memory.weights, 11 * 10 * MIB);
    assert.equal(other?.memory.kvCache, 11 * 256 * 128 * 2);
  });

  test("deals layers in proportion to memory", () => {
    const plan = place([nodeOf("a", 300 * MIB), nodeOf("b", 600 * MIB), nodeOf("c", 200 * MIB)]);
    assert.deepEqual(ranges(plan), ["b 0-12", "a 12-18", "c 18-22"]);
  });

  test("a node of which little fits gets less than its proportion would be", () => {
    // Both ends take 30 MiB of the head, so 45 MiB hold one layer there.
    const plan = place([nodeOf("a", 45 * MIB), nodeOf("b", 300 * MIB)], { head: "a" });
    assert.deepEqual(ranges(plan), ["a 0-1", "b 1-22"]);
  });

  test("one node takes all", () => {
    assert.deepEqual(ranges(place([nodeOf("a", 900 * MIB)])), ["a 0-22"]);
  });

  test("leaves out a node too small for a layer, and says so", () => {
    const plan = place([nodeOf("a", 900 * MIB), nodeOf("b", 5 * MIB, "phone")]);
    assert.deepEqual(ranges(plan), ["a 0-22"]);
    assert.equal(plan.unused[0]?.nodeId, "b");
    assert.match(plan.reasons.join("\n"), /phone is not used: it offers 5\.00 MiB, and a single layer takes 10\.1 MiB/);
  });

  test("leaves out the smallest nodes when there are fewer layers than nodes", () => {
    const info = modelOf([MIB, MIB]);
    const plan = place([nodeOf("a", 90 * MIB), nodeOf("b", 50 * MIB), nodeOf("c", 80 * MIB)], { info });
    assert.deepEqual(ranges(plan), ["a 0-1", "c 1-2"]);
    assert.match(plan.unused[0]?.reason ?? "", /only 2 layers/);
  });

  test("a model too large names what it needs and what each node offers", () => {
    const nodes = [nodeOf("a", 100 * MIB, "laptop"), nodeOf("b", 50 * MIB, "phone")];
    const message = refusal(() => place(nodes), "out_of_memory");
    assert.match(message, /needs 25\d\.\d MiB/);
    assert.match(message, /offer 150\.0 MiB: laptop 100\.0 MiB, phone 50\.0 MiB/);
  });

  test("a head too small for both ends is refused, naming it", () => {
    const nodes = [nodeOf("a", 20 * MIB, "phone"), nodeOf("b", 900 * MIB)];
    assert.match(
      refusal(() => place(nodes, { head: "a" }), "out_of_memory"),
      /40\.\d MiB of it on the head, phone/,
    );
  });

  test("no nodes, and a head that is none of them", () => {
    refusal(() => place([]), "invalid_argument");
    refusal(() => place([nodeOf("a", MIB)], { head: "z" }), "invalid_argument");
  });

  test("a tied embedding is counted once on the head", () => {
    const info = modelOf([10 * MIB], { tiedEmbedding: true, outputBytes: 0 });
    assert.equal(place([nodeOf("a", 900 * MIB)], { info }).stages[0]?.memory.weights, 30 * MIB);
  });
});

describe("placement by hand", () => {
  const nodes = [nodeOf("id-a", 900 * MIB, "a"), nodeOf("id-b", 900 * MIB, "b"), nodeOf("id-c", 900 * MIB, "c")];
  const byHand = (...layers: [string, number, number][]): Plan =>
    place(nodes, { layers: layers.map(([node, begin, end]) => ({ node, begin, end })) });

  test("is taken as given, by name or id, in any order", () => {
    const plan = byHand(["id-b", 7, 22], ["a", 0, 7]);
    assert.deepEqual(ranges(plan), ["id-a 0-7", "id-b 7-22"]);
    assert.equal(plan.head, "id-a");
    assert.deepEqual(plan.unused, [{ nodeId: "id-c", reason: "the placement does not name it" }]);
  });

  const WRONG: readonly [string, [string, number, number][], RegExp][] = [
    [
      "a gap",
      [
        ["a", 0, 5],
        ["b", 6, 22],
      ],
      /layers 5-6 are on no node/,
    ],
    [
      "an overlap",
      [
        ["a", 0, 12],
        ["b", 11, 22],
      ],
      /layers 11-12 are on two nodes/,
    ],
    ["a missing beginning", [["a", 1, 22]], /layers 0-1 are on no node/],
    ["a missing end", [["a", 0, 21]], /layers 21-22 are on no node/],
    ["too many layers", [["a", 0, 23]], /the model has 22 layers/],
    ["an unknown node", [["z", 0, 22]], /no node "z"; the nodes are a, b, c/],
    [
      "a node named twice",
      [
        ["a", 0, 5],
        ["a", 5, 22],
      ],
      /node "a" is named twice/,
    ],
  ];
  for (const [what, layers, expected] of WRONG) {
    test(`${what} is refused`, () =>
      assert.match(
        refusal(() => byHand(...layers), "invalid_argument"),
        expected,
      ));
  }

  test("a name that two nodes have is refused", () => {
    const twins = [nodeOf("1", 900 * MIB, "pi"), nodeOf("2", 900 * MIB, "pi")];
    const layers = [{ node: "pi", begin: 0, end: 22 }];
    assert.match(
      refusal(() => place(twins, { layers }), "invalid_argument"),
      /several nodes are named "pi"/,
    );
  });

  test("a stage that does not fit is refused with both sizes", () => {
    const small = [nodeOf("a", 100 * MIB), nodeOf("b", 900 * MIB)];
    const layers = [
      { node: "a", begin: 0, end: 11 },
      { node: "b", begin: 11, end: 22 },
    ];
    assert.match(
      refusal(() => place(small, { layers }), "out_of_memory"),
      /need 14\d\.\d MiB on a, which offers 100\.0 MiB/,
    );
  });
});

describe("usable memory", () => {
  const cpu = { name: "CPU", kind: "cpu", memoryTotal: 1000, memoryFree: 1000 } as const;

  test("graphics memory of its own adds up, shared memory counts once", () => {
    const card = { name: "CUDA0", kind: "gpu", memoryTotal: 2000, memoryFree: 2000 } as const;
    const metal = { name: "MTL0", kind: "gpu", memoryTotal: 900, memoryFree: 900 } as const;
    const inside = { name: "Vulkan0", kind: "igpu", memoryTotal: 800, memoryFree: 800 } as const;
    const usable = (devices: TopologyNode["devices"]): number =>
      usableMemory({ id: "a", name: "a", devices, memoryCap: null });
    assert.equal(usable([cpu]), 950);
    assert.equal(usable([cpu, card]), 2850);
    assert.equal(usable([cpu, metal]), 950);
    assert.equal(usable([inside, cpu]), 950);
    assert.equal(usable([]), 0);
  });

  test("the owner's cap holds", () => {
    assert.equal(usableMemory({ id: "a", name: "a", devices: [cpu], memoryCap: 300 }), 300);
    assert.equal(usableMemory({ id: "a", name: "a", devices: [cpu], memoryCap: 3000 }), 950);
  });
});
