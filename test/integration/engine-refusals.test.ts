import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceRequest } from "../../src/core/inference.js";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { Stage } from "../../src/native/stage.js";
import { AnswerObserver } from "../../src/runtime/answer-observer.js";
import { Engine } from "../../src/runtime/engine.js";
import { ModelMeter } from "../../src/runtime/meters.js";
import { HeldPipeline } from "../support/held-pipeline.js";
import { tinyModel } from "../support/models.js";

const modelPath = tinyModel();
const anySignal = new AbortController().signal;

function request(prompt: readonly number[]): InferenceRequest {
  return {
    id: "request",
    model: "tiny",
    input: { kind: "text", prompt },
    sampling: {},
    stop: [],
    logprobs: 0,
    cachePrompt: true,
  };
}

async function drained(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

async function engineWith(pipeline: HeldPipeline, queueLimit: number) {
  const stage = await Stage.load({ modelPath, layerBegin: 0, layerEnd: 0, hasOutput: false, vocabOnly: true });
  const engine = new Engine({
    outputStage: stage,
    pipeline,
    slotCount: 1,
    contextSize: 64,
    microBatchSize: 32,
    queueLimit,
    sampling: {},
    canTrim: true,
    contextFull: "stop",
    speculator: null,
    requestTimeout: null,
    observer: new AnswerObserver({
      ring: { id: "ring", model: "tiny", nodes: ["a"] },
      meter: new ModelMeter(),
      traces: null,
      clock: systemClock,
      logger: silentLogger,
    }),
    clock: systemClock,
    logger: silentLogger,
  });
  return { engine, stage };
}

describe("a request that cannot be taken is refused before its prompt is looked at", () => {
  test("when the queue is full", async () => {
    const pipeline = new HeldPipeline(1);
    const { engine, stage } = await engineWith(pipeline, 0);
    const failed = assert.rejects(drained(engine.generate(request([4, 5]), anySignal)), { code: "stage_lost" });
    // An empty prompt is refused with `invalid_argument` as soon as somebody looks at it.
    await assert.rejects(engine.generate(request([]), anySignal).next(), { code: "overloaded" });
    const lost = new ExoError("stage_lost", "The test is over.");
    const closed = engine.close(lost);
    await pipeline.first().fail(lost);
    await Promise.all([failed, closed]);
    await stage.close();
  });

  test("when the ring is broken", async () => {
    const broken = new ExoError("stage_lost", "The ring is broken.");
    class BrokenPipeline extends HeldPipeline {
      override readonly broken = broken;
    }
    const { engine, stage } = await engineWith(new BrokenPipeline(1), 4);
    await assert.rejects(engine.generate(request([]), anySignal).next(), broken);
    await stage.close();
  });
});
