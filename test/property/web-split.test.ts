import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseLayerAssignments } from "../../src/config/layer-assignment.js";
import {
  addPart,
  cutBounds,
  dropPart,
  layersText,
  makeHead,
  moveCut,
  movePart,
  rangesOf,
  type Split,
  sameSplit,
  splitOf,
} from "../../src/web/models/split.js";

const splits: fc.Arbitrary<Split> = fc
  .array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })
  .map((layers) => layers.map((count, index) => ({ nodeId: `id-${index}`, nodeName: `node ${index}`, layers: count })));

const layersOf = (split: Split): number => split.reduce((sum, { layers }) => sum + layers, 0);

/** Every layer is on one node, and every node has one. */
function assertWhole(split: Split, layers: number): void {
  assert.equal(layersOf(split), layers);
  assert.ok(split.every((part) => Number.isInteger(part.layers) && part.layers >= 1));
  assert.equal(new Set(split.map(({ nodeId }) => nodeId)).size, split.length);
}

describe("a split made by hand", () => {
  test("stays whole whatever is done to it, and the node reads what it is sent", () => {
    const step = fc.record({
      what: fc.constantFrom("cut", "move", "head", "drop", "add"),
      index: fc.nat({ max: 9 }),
      to: fc.double({ min: -50, max: 400, noNaN: true }),
    });
    fc.assert(
      fc.property(splits, fc.array(step, { maxLength: 12 }), (first, steps) => {
        const layers = layersOf(first);
        const last = steps.reduce<Split>((split, { what, index, to }) => {
          if (what === "cut") return moveCut(split, index, to);
          if (what === "move") return movePart(split, index, to < 0 ? -1 : 1);
          if (what === "head") return makeHead(split, index);
          if (what === "drop") return dropPart(split, index);
          return addPart(split, { nodeId: `new-${index}`, nodeName: `new ${index}` });
        }, first);
        assertWhole(last, layers);
        const read = parseLayerAssignments(layersText(last));
        assert.deepEqual(
          read?.map(({ begin, end }) => ({ begin, end })),
          rangesOf(last),
        );
      }),
    );
  });

  test("a cut goes where it is put as long as both sides keep a layer, and moves no other", () => {
    fc.assert(
      fc.property(splits, fc.nat({ max: 6 }), fc.integer({ min: -10, max: 330 }), (split, cut, to) => {
        fc.pre(cut < split.length - 1);
        const { least, most } = cutBounds(split, cut);
        const ends = rangesOf(moveCut(split, cut, to)).map(({ end }) => end);
        const before = rangesOf(split).map(({ end }) => end);
        assert.equal(ends[cut], Math.min(most, Math.max(least, to)));
        assert.deepEqual(ends.toSpliced(cut, 1), before.toSpliced(cut, 1));
      }),
    );
  });

  test("as a reader would do it", () => {
    const split = splitOf([
      { nodeId: "a", nodeName: "desk", layerBegin: 0, layerEnd: 6 },
      { nodeId: "b", nodeName: "laptop", layerBegin: 6, layerEnd: 10 },
    ]);
    assert.equal(layersText(split), "0-6@a,6-10@b");
    assert.equal(layersText(moveCut(split, 0, 8)), "0-8@a,8-10@b");
    assert.equal(layersText(moveCut(split, 0, 99)), "0-9@a,9-10@b");
    assert.equal(layersText(makeHead(split, 1)), "0-4@b,4-10@a");
    assert.equal(layersText(dropPart(split, 0)), "0-10@b");
    assert.equal(layersText(dropPart(dropPart(split, 1), 0)), "0-10@a", "the last one stays");
    assert.equal(layersText(addPart(split, { nodeId: "c", nodeName: "attic" })), "0-3@a,3-6@c,6-10@b");
    assert.equal(sameSplit(addPart(split, { nodeId: "a", nodeName: "desk" }), split), true, "it is there already");
  });
});
