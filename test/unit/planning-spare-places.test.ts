import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sparePlaces } from "../../src/planning/spare-places.js";

const stages = ["a", "b", "c"].map((nodeId, index) => {
  return { nodeId, layerBegin: 4 * index, layerEnd: 4 * index + 4, bytes: 100 };
});

const told = (places: ReturnType<typeof sparePlaces>) =>
  places.map(({ nodeId, stageIndex, load }) => `${stageIndex} ${load ? "loaded" : "fetched"} by ${nodeId}`);

describe("sparePlaces", () => {
  test("an idle node stands by for every stage, loaded as far as its memory goes, the head's only fetched", () => {
    assert.deepEqual(told(sparePlaces(stages, [{ id: "d", bytes: 150 }], 1)), [
      "0 fetched by d",
      "1 loaded by d",
      "2 fetched by d",
    ]);
  });

  test("several idle nodes share the stages, the one with most room first", () => {
    const idle = [
      { id: "d", bytes: 120 },
      { id: "e", bytes: 250 },
    ];
    assert.deepEqual(told(sparePlaces(stages, idle, 1)), ["0 fetched by e", "1 loaded by e", "2 loaded by e"]);
    assert.deepEqual(told(sparePlaces(stages, idle, 2)), [
      "0 fetched by e",
      "0 fetched by d",
      "1 loaded by e",
      "1 loaded by d",
      "2 loaded by e",
      "2 fetched by d",
    ]);
  });

  test("neighbours fetch what they would take over where nobody is idle", () => {
    assert.deepEqual(told(sparePlaces(stages, [], 1)), ["0 fetched by b", "1 fetched by a", "2 fetched by b"]);
    assert.deepEqual(told(sparePlaces(stages, [], 9)), [
      "0 fetched by b",
      "1 fetched by a",
      "1 fetched by c",
      "2 fetched by b",
    ]);
  });

  test("none are none", () => {
    assert.deepEqual(sparePlaces(stages, [{ id: "d", bytes: 1000 }], 0), []);
  });
});
