import assert from "node:assert/strict";
import { test } from "node:test";
import { toProgress } from "../../src/cluster/placement-progress.js";
import { emptyRingRecord, plannedStageRecord } from "../../src/cluster/ring-record.js";
import { displayNames } from "../../src/core/display-names.js";

test("names that repeat have their ids behind them, others stand alone", () => {
  const names = displayNames([
    { id: "a", name: "vm" },
    { id: "b", name: "vm" },
    { id: "c", name: "desk" },
    { id: "c", name: "desk" },
  ]);
  assert.deepEqual([...names.values()], ["vm (a)", "vm (b)", "desk"]);
});

test("progress of stages on nodes of one name can be told apart", () => {
  const memory = { weights: 1, kvCache: 0, compute: 0 };
  const stages = ["a", "b"].map((nodeId) =>
    plannedStageRecord({ nodeId, layerBegin: 0, layerEnd: 1, hasEmbedding: true, hasOutput: true, memory }, "vm"),
  );
  const ring = emptyRingRecord({ id: "r", spec: "m", replica: 0, proposedBy: "a", pinned: false });
  assert.deepEqual(
    toProgress({ ...ring, stages }).stages.map(({ nodeName }) => nodeName),
    ["vm (a)", "vm (b)"],
  );
});
