import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { healCandidates } from "../../src/planning/heal-candidates.js";

const LAYERS = 8;
const nodes = ["a", "b", "c", "d", "e"];

const range = fc
  .tuple(fc.constantFrom(...nodes), fc.nat({ max: LAYERS - 1 }), fc.integer({ min: 1, max: LAYERS }))
  .map(([nodeId, layerBegin, length]) => {
    return { nodeId, layerBegin, layerEnd: Math.min(LAYERS, layerBegin + length) };
  });

const broken = fc.record({
  layerCount: fc.constant(LAYERS),
  kept: fc.array(range, { maxLength: 8 }),
  nodes: fc.subarray(nodes, { minLength: 1 }),
});

describe("healCandidates", () => {
  test("each covers every layer once, with no node twice and none that is not there", () => {
    fc.assert(
      fc.property(broken, (ring) => {
        for (const stages of healCandidates(ring)) {
          assert.equal(stages[0]?.begin, 0);
          assert.equal(stages.at(-1)?.end, LAYERS);
          for (const [index, { begin, end }] of stages.entries()) {
            assert.ok(begin < end);
            assert.equal(begin, stages[index - 1]?.end ?? 0);
          }
          const used = stages.map(({ node }) => node);
          assert.equal(new Set(used).size, used.length);
          assert.ok(used.every((node) => ring.nodes.includes(node)));
        }
      }),
    );
  });

  test("are the same in whatever order nodes and ranges are listed, and not too many", () => {
    fc.assert(
      fc.property(broken, (ring) => {
        const found = healCandidates(ring);
        assert.ok(found.length <= 64);
        const turned = { ...ring, kept: ring.kept.toReversed(), nodes: ring.nodes.toReversed() };
        assert.deepEqual(healCandidates(turned), found);
      }),
    );
  });

  test("leave what is loaded where it is, and give the gap to an idle node or to a neighbour", () => {
    const kept = [
      { nodeId: "a", layerBegin: 0, layerEnd: 3 },
      { nodeId: "c", layerBegin: 6, layerEnd: 8 },
    ];
    assert.deepEqual(
      healCandidates({ layerCount: 8, kept, nodes: ["a", "c", "d"] }).map((stages) =>
        stages.map(({ node, begin, end }) => `${begin}-${end}@${node}`).join(),
      ),
      ["0-3@a,3-6@d,6-8@c", "0-6@a,6-8@c", "0-3@a,3-8@c"],
    );
  });

  test("there is none where nothing is loaded", () => {
    assert.deepEqual(healCandidates({ layerCount: 8, kept: [], nodes: ["a", "b"] }), []);
  });
});
