import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { silentLogger } from "../../src/core/ports.js";
import { nativeCounters } from "../../src/native/load.js";
import { encodeRows, type Row } from "../../src/native/micro-batch.js";
import { Stage } from "../../src/native/stage.js";
import type { StageOptions } from "../../src/native/stage-options.js";
import { KeptStages } from "../../src/runtime/kept-stages.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { rowsOf, someTokens } from "../support/stages.js";

const modelPath = tinyModel();
const named = { spec: "tiny", modelHash: "hash" };

const OPTIONS: Omit<StageOptions, "modelPath"> = {
  layerBegin: 0,
  layerEnd: 4,
  hasOutput: true,
  contextSize: 64,
  maxSequences: 2,
  batchSize: 32,
  maxOutputs: 32,
  threads: 1,
  batchThreads: 1,
};

const load = (change: Partial<StageOptions> = {}) => Stage.load({ ...OPTIONS, modelPath, ...change });

async function logits(stage: Stage, rows: readonly Row[]): Promise<Float32Array> {
  const { logits: found } = await stage.decode({ rows: encodeRows(rows), wantLogits: true });
  assert.ok(found !== null);
  return found;
}

describe("KeptStages", () => {
  afterEach(() => assert.equal(nativeCounters().stages, 0, "no stage stays behind"));

  test("gives a stage back with nothing of its past in it", async () => {
    const kept = new KeptStages({ logger: silentLogger });
    const stage = await load();
    const tokens = someTokens(12);
    const fresh = await logits(stage, rowsOf(tokens));
    await logits(stage, rowsOf(someTokens(20, 2), 0, 1));
    // Still under way when the stage leaves its ring.
    const late = stage.decode({ rows: encodeRows(rowsOf(someTokens(8, 3), 12)), wantLogits: true });
    kept.keep({ ...named, ringId: "ring", stage, spare: false });
    assert.deepEqual(
      kept.list().map(({ ringId }) => ringId),
      ["ring"],
    );
    const again = await kept.take({ ...named, options: OPTIONS });
    assert.equal(again, stage);
    assert.deepEqual(kept.list(), []);
    await late;
    assert.deepEqual(await logits(stage, rowsOf(tokens)), fresh);
    await stage.close();
  });

  test("gives none that is of another model, range or size, or would take more threads", async () => {
    const kept = new KeptStages({ logger: silentLogger });
    kept.keep({ ...named, ringId: "ring", stage: await load({ threads: 2, batchThreads: 2 }), spare: false });
    const wanted = { ...named, options: { ...OPTIONS, threads: 2, batchThreads: 2 } };
    assert.equal(await kept.take({ ...wanted, spec: "other" }), null);
    assert.equal(await kept.take({ ...wanted, modelHash: "other" }), null);
    assert.equal(await kept.take({ ...named, options: OPTIONS }), null);
    assert.equal(await kept.take({ ...wanted, options: { ...wanted.options, layerEnd: 3, hasOutput: false } }), null);
    assert.equal(await kept.take({ ...wanted, options: { ...wanted.options, contextSize: 128 } }), null);
    const more = { ...wanted, options: { ...wanted.options, threads: 3, batchThreads: 3 } };
    const stage = await kept.take(more);
    assert.ok(stage !== null, "with fewer threads than it might have it is as good");
    await stage.close();
  });

  test("frees what nobody claims", async () => {
    const kept = new KeptStages({ keepMs: 1, logger: silentLogger });
    kept.keep({ ...named, ringId: "ring", stage: await load(), spare: false });
    await eventually(async () => assert.equal(nativeCounters().stages, 0));
    assert.deepEqual(kept.list(), []);
  });

  test("frees what is meant, and everything when it closes, also what comes later", async () => {
    const kept = new KeptStages({ logger: silentLogger });
    kept.keep({ ...named, ringId: "one", stage: await load(), spare: false });
    kept.keep({ ...named, ringId: "two", stage: await load(), spare: false });
    await kept.free(({ ringId }) => ringId === "one");
    assert.equal(nativeCounters().stages, 1);
    await kept.close();
    assert.equal(nativeCounters().stages, 0);
    kept.keep({ ...named, ringId: "late", stage: await load(), spare: false });
    await kept.close();
  });

  test("a stage that was closed is not given", async () => {
    const kept = new KeptStages({ logger: silentLogger });
    const stage = await load();
    await stage.close();
    kept.keep({ ...named, ringId: "ring", stage, spare: false });
    assert.equal(await kept.take({ ...named, options: OPTIONS }), null);
  });
});
