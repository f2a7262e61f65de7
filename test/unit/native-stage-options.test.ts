import assert from "node:assert/strict";
import { test } from "node:test";
import { toNativeStageParams } from "../../src/native/stage-options.js";

const part = { modelPath: "model.gguf", layerBegin: 0, layerEnd: 4, hasOutput: false, threads: 1 };

test("threads stay awake for a whole model, unless its caller knows who else computes in between", () => {
  const awake = (options: Partial<Parameters<typeof toNativeStageParams>[0]>) =>
    toNativeStageParams({ ...part, ...options }).keep_awake;
  assert.equal(awake({ hasOutput: true }), true);
  assert.equal(awake({ hasOutput: true, keepAwake: false }), false);
  assert.equal(awake({}), false);
  assert.equal(awake({ layerBegin: 4, hasOutput: true }), false);
});
