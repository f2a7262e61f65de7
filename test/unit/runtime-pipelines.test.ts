import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import type { Row } from "../../src/native/micro-batch.js";
import { encodeRows } from "../../src/native/micro-batch.js";
import type { Sampler } from "../../src/native/sampler.js";
import type { DecodeResult, MicroBatch } from "../../src/native/stage.js";
import { LocalPipeline } from "../../src/runtime/local-pipeline.js";
import type { RingBatch } from "../../src/runtime/micro-batch.js";
import { RingPipeline } from "../../src/runtime/ring-pipeline.js";
import { frameHeadRoom, type OutgoingFrame } from "../../src/transport/frame.js";
import { encodeErrorFrame, encodeFrame, encodeFrameWithoutRows } from "../../src/transport/frame-encode.js";

const WIDTH = 32;
const clock = { monotonic: () => 0, wall: () => 0 };
const lost = new ExoError("stage_lost", "The stage failed before.");
const failed = new ExoError("context_exceeded", "No room.");
const NOTHING: DecodeResult = {
  activations: null,
  samples: [],
  pooled: null,
  logits: null,
  copies: 0,
  computeSeconds: 0,
  queueSeconds: 0,
  samplingSeconds: 0,
};

const row = (position: number, output: boolean): Row => ({ sequence: 0, position, token: 5, output });

/** Two rows, the last of them sampled. */
const BATCH: RingBatch = {
  rows: encodeRows([row(3, false), row(4, true)]),
  rowCount: 2,
  kvOperations: new Int32Array(0),
  // The scripted stages do not look at it.
  samples: [{ row: 1, sampler: {} as Sampler, logprobs: 0 }],
  pooled: false,
};

/** A stage whose micro-batches end as `decode` says. */
const stage = (decode: (batch: MicroBatch) => DecodeResult = () => NOTHING) => ({
  decode: async (batch: MicroBatch) => decode(batch),
  close: async () => {},
});

function fails(error: ExoError) {
  return stage(() => {
    throw error;
  });
}

/** A ring with another stage, which answers with what the test hands to `onFrame`. */
function ring(front = stage(), output = stage()) {
  const sent: OutgoingFrame[] = [];
  const pipeline = new RingPipeline({
    front,
    output,
    epoch: 1,
    stageCount: 2,
    limits: { embeddingSize: WIDTH, maxRows: 4, maxKvOperations: 4, maxSequences: 2, maxStages: 2 },
    outputSize: WIDTH,
    wireType: "f32",
    send: async (frame) => void sent.push(frame),
    disconnect: async () => {},
    roundTripDeadlineMs: 60_000,
    clock,
    logger: silentLogger,
  });
  return { pipeline, sent };
}

const origin = (microBatch: number) => ({ epoch: 1, microBatch, fromStage: 1 });

function returned(microBatch: number, rows: readonly Row[]): Uint8Array {
  const fields = {
    ...origin(microBatch),
    activationType: "f32",
    embeddingSize: WIDTH,
    rows: encodeRows(rows),
    kvOperations: new Int32Array(0),
    computeMicroseconds: 0,
    queueMicroseconds: 0,
    stages: [],
  } as const;
  if (rows.length === 0) return encodeFrameWithoutRows(fields).frame;
  const headRoom = frameHeadRoom(rows.length, 0, 0);
  const bytes = new Uint8Array(headRoom + 4 * WIDTH * rows.length);
  return encodeFrame(fields, bytes, headRoom).frame;
}

describe("a pipeline of one stage", () => {
  test("breaks when the stage is lost, and tells so once", async () => {
    const pipeline = new LocalPipeline(fails(lost), clock);
    const told: ExoError[] = [];
    pipeline.onBroken((error) => told.push(error));
    await assert.rejects(
      pipeline.run(BATCH, () => {}),
      lost,
    );
    await assert.rejects(
      pipeline.run(BATCH, () => {}),
      lost,
    );
    assert.equal(pipeline.broken, lost);
    assert.deepEqual(told, [lost]);
  });

  test("survives a micro-batch that fails", async () => {
    const pipeline = new LocalPipeline(fails(failed), clock);
    await assert.rejects(
      pipeline.run(BATCH, () => {}),
      failed,
    );
    assert.equal(pipeline.broken, null);
  });
});

describe("a pipeline round a ring", () => {
  test("breaks when a stage says that it is lost, with all that is under way", async () => {
    const { pipeline } = ring();
    const told: ExoError[] = [];
    pipeline.onBroken((error) => told.push(error));
    const runs = [0, 1].map(() => pipeline.run(BATCH, () => {}));
    await pipeline.onFrame(encodeErrorFrame(origin(0), lost).frame);
    for (const run of runs) await assert.rejects(run, { code: "stage_lost", message: lost.message });
    assert.equal(told.length, 1);
    assert.equal(pipeline.broken?.message, lost.message);
  });

  test("breaks when one of the head's own stages is lost", async () => {
    const front = ring(fails(lost)).pipeline;
    await assert.rejects(
      front.run(BATCH, () => {}),
      lost,
    );
    assert.equal(front.broken, lost);
    const output = ring(stage(), fails(lost)).pipeline;
    const run = output.run(BATCH, () => {});
    await output.onFrame(returned(0, [row(4, true)]));
    await assert.rejects(run, lost);
    assert.equal(output.broken, lost);
  });

  test("survives a micro-batch that fails at another stage", async () => {
    const { pipeline } = ring();
    const run = pipeline.run(BATCH, () => {});
    await pipeline.onFrame(encodeErrorFrame(origin(0), failed).frame);
    await assert.rejects(run, { code: "context_exceeded" });
    assert.equal(pipeline.broken, null);
  });

  test("takes back no other rows than it asked for", async () => {
    let sampled = 0;
    const output = stage(() => {
      sampled += 1;
      return NOTHING;
    });
    const { pipeline } = ring(stage(), output);
    const others = [
      [row(5, true)],
      [{ ...row(4, true), sequence: 1 }],
      [{ ...row(4, true), token: 6 }],
      [row(4, false)],
      [row(3, true), row(4, true)],
      [],
    ];
    for (const [microBatch, rows] of others.entries()) {
      const run = pipeline.run(BATCH, () => {});
      await pipeline.onFrame(returned(microBatch, rows));
      await assert.rejects(run, { code: "bad_frame" });
    }
    assert.equal(sampled, 0);
    assert.equal(pipeline.broken, null);
    const run = pipeline.run(BATCH, () => {});
    await pipeline.onFrame(returned(others.length, [row(4, true)]));
    await run;
    assert.equal(sampled, 1);
  });
});
