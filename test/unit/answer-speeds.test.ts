import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NOTHING_MEASURED, predictedBy, predictionOf } from "../../src/cluster/prediction-record.js";
import type { InferenceEvent } from "../../src/core/inference.js";
import { AnswerSpeeds } from "../../src/runtime/answer-speeds.js";

interface Sample {
  readonly prompt?: number;
  readonly cached?: number;
  readonly tokens?: number;
  readonly drafted?: number;
  readonly prefill?: number;
  readonly decode?: number;
}

function finished({
  prompt = 512,
  cached = 0,
  tokens = 21,
  drafted = 0,
  prefill = 1,
  decode = 2,
}: Sample): InferenceEvent {
  return {
    type: "finished",
    reason: "stop",
    usage: {
      promptTokens: prompt,
      completionTokens: tokens,
      cachedTokens: cached,
      acceptedDraftTokens: drafted,
      rejectedDraftTokens: 0,
    },
    timings: { queueSeconds: 0, prefillSeconds: prefill, decodeSeconds: decode },
  };
}

async function* events(sample: Sample): AsyncGenerator<InferenceEvent> {
  yield { type: "started", promptTokens: 1, cachedTokens: 0 };
  yield finished(sample);
}

async function after(...samples: readonly Sample[]) {
  const speeds = new AnswerSpeeds();
  for (const sample of samples) for await (const _event of speeds.watch(events(sample)));
  return speeds.summary();
}

describe("how fast a ring answered", () => {
  test("is not known before it did", async () => {
    assert.deepEqual(await after(), NOTHING_MEASURED);
  });

  test("is scaled to a prompt of 512 tokens that had to be computed", async () => {
    assert.equal((await after({ prompt: 512 })).ttftSeconds, 1);
    assert.equal((await after({ prompt: 1024 })).ttftSeconds, 0.5);
    assert.equal((await after({ prompt: 1024, cached: 768 })).ttftSeconds, 2);
  });

  test("counts the tokens after the first", async () => {
    assert.equal((await after({ tokens: 21, decode: 2 })).decodeTokensPerSecond, 10);
  });

  test("is the median of the last requests", async () => {
    const slow = Array.from({ length: 50 }, () => ({ prefill: 9 }));
    const fast = Array.from({ length: 16 }, (_, index) => ({ prefill: 1 + index }));
    const { ttftSeconds, requests } = await after(...slow, ...fast);
    assert.equal(ttftSeconds, 8.5);
    assert.equal(requests, 66);
  });

  test("is not told by short prompts, short answers or drafted tokens", async () => {
    assert.deepEqual(await after({ prompt: 20, tokens: 3 }), NOTHING_MEASURED);
    const { ttftSeconds, decodeTokensPerSecond } = await after({ drafted: 4 });
    assert.equal(ttftSeconds, 1);
    assert.equal(decodeTokensPerSecond, null);
  });

  test("is told by requests that were alone from beginning to end", async () => {
    const speeds = new AnswerSpeeds();
    const first = speeds.watch(events({}));
    await first.next();
    for await (const _event of speeds.watch(events({})));
    for await (const _event of first);
    assert.deepEqual(speeds.summary(), NOTHING_MEASURED);
    for await (const _event of speeds.watch(events({})));
    assert.equal(speeds.summary().requests, 1);
  });

  test("hands every event on, and lets go when its reader leaves", async () => {
    const speeds = new AnswerSpeeds();
    const types: string[] = [];
    for await (const event of speeds.watch(events({}))) types.push(event.type);
    assert.deepEqual(types, ["started", "finished"]);
    for await (const _event of speeds.watch(events({}))) break;
    for await (const _event of speeds.watch(events({})));
    assert.equal(speeds.summary().requests, 2);
  });
});

describe("a prediction", () => {
  const predicted = { ttftSeconds: 1.2, decodeTokensPerSecond: 9, aggregateTokensPerSecond: 20 };

  test("is compared with what was measured", () => {
    const { error } = predictionOf(predicted, { ttftSeconds: 1, decodeTokensPerSecond: 10, requests: 3 });
    assert.ok(Math.abs((error.ttft ?? 0) - 0.2) < 1e-9);
    assert.ok(Math.abs((error.decode ?? 0) + 0.1) < 1e-9);
  });

  test("is what the plan foresees, where it does", () => {
    const plan = { model: "demo", layerCount: 2, reasons: [] };
    assert.deepEqual(predictedBy({ ...plan, predicted: { ...predicted, stages: [] } }), predicted);
    assert.equal(predictedBy({ ...plan, predicted: null }), null);
    assert.equal(predictedBy(plan), null);
  });

  test("has no error as long as one of the two is missing", () => {
    assert.deepEqual(predictionOf(predicted, NOTHING_MEASURED).error, { ttft: null, decode: null });
    assert.deepEqual(predictionOf(null, { ttftSeconds: 1, decodeTokensPerSecond: 1, requests: 1 }).error, {
      ttft: null,
      decode: null,
    });
  });
});
