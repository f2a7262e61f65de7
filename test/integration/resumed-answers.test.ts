import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent, InferenceRequest, Resumption, TokenLogprob } from "../../src/core/inference.js";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { Stage } from "../../src/native/stage.js";
import { AnswerObserver } from "../../src/runtime/answer-observer.js";
import { Engine } from "../../src/runtime/engine.js";
import { LocalPipeline } from "../../src/runtime/local-pipeline.js";
import { ModelMeter } from "../../src/runtime/meters.js";
import { type ParityModel, writeParityModel } from "../parity/models.js";

const CONTEXT = 512;
const anySignal = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), "exo-native-resumed-"));
const engines = new Map<ParityModel | "shifting", Engine>();

async function engineOf(model: ParityModel, contextFull: "stop" | "shift", contextSize: number): Promise<Engine> {
  const stage = await Stage.load({
    modelPath: writeParityModel(directory, model),
    layerBegin: 0,
    layerEnd: 4,
    hasOutput: true,
    threads: 1,
    contextSize,
    maxSequences: 2,
    batchSize: 64,
    microBatchSize: 64,
    maxOutputs: 2,
  });
  return new Engine({
    outputStage: stage,
    pipeline: new LocalPipeline(stage, systemClock),
    slotCount: 2,
    contextSize,
    microBatchSize: 64,
    queueLimit: 2,
    sampling: {},
    canTrim: true,
    contextFull,
    speculator: null,
    requestTimeout: null,
    observer: new AnswerObserver({
      ring: { id: "ring", model, nodes: ["a"] },
      meter: new ModelMeter(),
      traces: null,
      clock: systemClock,
      logger: silentLogger,
    }),
    clock: systemClock,
    logger: silentLogger,
  });
}

before(async () => {
  for (const model of ["plain", "tools", "thinking"] as const)
    engines.set(model, await engineOf(model, "stop", CONTEXT));
  engines.set("shifting", await engineOf("plain", "shift", 64));
});
after(async () => {
  for (const engine of engines.values()) {
    assert.deepEqual(engine.stats(), { slots: 2, busySlots: 0, waiting: 0, microBatchesUnderWay: 0 });
    await engine.close(new ExoError("not_ready", "The test is over."));
  }
  rmSync(directory, { recursive: true, force: true });
});

type Shape = Partial<InferenceRequest> & Pick<InferenceRequest, "input">;

function requestOf(shape: Shape): InferenceRequest {
  // Computed as it was, so that no close choice is tipped.
  return { id: "1", model: "m", sampling: {}, stop: [], logprobs: 0, maxTokens: 40, cachePrompt: false, ...shape };
}

async function ask(model: ParityModel | "shifting", shape: Shape): Promise<readonly InferenceEvent[]> {
  const engine = engines.get(model);
  assert.ok(engine !== undefined);
  const events: InferenceEvent[] = [];
  for await (const event of engine.generate(requestOf(shape), anySignal)) events.push(event);
  return events;
}

/** All that a reader sees, but for the ids of calls, which are random, and for times. */
function seen(events: readonly InferenceEvent[]) {
  const logprobs: TokenLogprob[] = [];
  const calls: string[] = [];
  let [text, reasoning] = ["", ""];
  for (const event of events) {
    if (event.type !== "delta") continue;
    text += event.text;
    reasoning += event.reasoning ?? "";
    logprobs.push(...(event.logprobs ?? []));
    for (const { index, name = "", arguments: more = "" } of event.toolCalls ?? []) {
      calls[index] = `${calls[index] ?? ""}${name}${more}`;
    }
  }
  const end = events.at(-1);
  assert.ok(end?.type === "finished");
  const { reason, stopSequence, usage } = end;
  return { text, reasoning, calls, logprobs, reason, stopSequence, usage };
}

/** What is known of an answer behind each of its events: where it may be broken off. */
function resumptionsOf(events: readonly InferenceEvent[]): { readonly at: number; readonly resume: Resumption }[] {
  const tokens: number[] = [];
  return events.flatMap((event, at) => {
    if (event.type !== "delta" || event.tokens === undefined) return [];
    tokens.push(...event.tokens);
    return [{ at, resume: { tokens: [...tokens], ...(event.held && { held: event.held }) } }];
  });
}

const text = (prompt: string): Shape["input"] => ({ kind: "text", prompt });
const messages = [{ role: "user", content: "How warm is it in Oslo?" }];
const schema = JSON.stringify({
  type: "object",
  properties: { city: { enum: ["Oslo", "Rome"] }, days: { type: "integer", minimum: 1, maximum: 99 } },
  required: ["city", "days"],
  additionalProperties: false,
});
const tool = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 12 }, days: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
const calling = { kind: "chat", messages, tools: [tool], toolChoice: "required", parallelToolCalls: false } as const;
const seeded = { temperature: 1.1, topP: 0.95, seed: 11, repeatPenalty: 1.2, frequencyPenalty: 0.3 };
const greedy = { temperature: 0 };

const SHAPES: readonly (readonly [string, ParityModel | "shifting", Shape])[] = [
  ["greedy text", "plain", { input: text("Once upon a time"), sampling: greedy }],
  ["seeded text with penalties", "plain", { input: text("Once upon a time"), sampling: seeded }],
  [
    "log-probabilities before stop strings",
    "plain",
    { input: text("Once"), sampling: greedy, logprobs: 3, stop: ["e e e", "\n\n"], maxTokens: 24 },
  ],
  [
    "a JSON schema, seeded",
    "plain",
    { input: { kind: "chat", messages }, sampling: { ...seeded, jsonSchema: schema } },
  ],
  ["a grammar, greedy", "plain", { input: text("Say"), sampling: { ...greedy, grammar: 'root ::= [a-f]{20} "."' } }],
  ["a tool call, seeded", "tools", { input: calling, sampling: seeded, maxTokens: 200 }],
  ["a tool call, greedy", "tools", { input: calling, sampling: greedy, maxTokens: 200 }],
  ["thoughts", "thinking", { input: { kind: "chat", messages }, sampling: greedy }],
  ["no end", "plain", { input: text("Once"), sampling: seeded, ignoreEos: true, maxTokens: 30 }],
  [
    "a context that is shifted",
    "shifting",
    { input: text("Once upon a time"), sampling: greedy, ignoreEos: true, maxTokens: 150 },
  ],
];

/** Places to break an answer off at. */
const FEW = 7;

describe("an answer that another head began", () => {
  for (const [name, model, shape] of SHAPES) {
    test(`goes on as it would have: ${name}`, async () => {
      const events = await ask(model, shape);
      const whole = seen(events);
      const places = resumptionsOf(events);
      assert.ok(places.length > 0, "there is something to go on with");
      const step = Math.max(1, Math.ceil(places.length / FEW));
      for (const { at, resume } of places.filter((_, index) => index % step === 0 || index === places.length - 1)) {
        const rest = await ask(model, { ...shape, resume });
        assert.deepEqual(seen([...events.slice(0, at + 1), ...rest]), whole, `after ${resume.tokens.length} tokens`);
      }
    });
  }

  test("is over at once where its last token was the last that is allowed, or completed a stop string", async () => {
    const shape: Shape = { input: text("Once upon a time"), sampling: greedy, maxTokens: 12, ignoreEos: true };
    const events = await ask("plain", shape);
    const all = resumptionsOf(events).at(-1)?.resume;
    assert.ok(all !== undefined);
    const [end, ...more] = await ask("plain", { ...shape, maxTokens: all.tokens.length, resume: all });
    assert.ok(end?.type === "finished" && more.length === 0);
    assert.deepEqual([end.reason, end.usage.completionTokens], ["length", all.tokens.length]);
    const stop = seen(events).text.slice(4, 7);
    const [stopped] = await ask("plain", { ...shape, stop: [stop], resume: all });
    assert.ok(stopped?.type === "finished");
    assert.deepEqual([stopped.reason, stopped.stopSequence], ["stop", stop]);
  });

  test("has the time that is left of what the request allowed", async () => {
    const shape: Shape = {
      input: text("Once"),
      sampling: greedy,
      timeoutSeconds: 5,
      resume: { tokens: [70], elapsedSeconds: 6 },
    };
    const [end] = await ask("plain", shape);
    assert.ok(end?.type === "finished" && end.reason === "length");
  });

  for (const [name, shape] of [
    ["tokens outside the vocabulary", { resume: { tokens: [5, 100_000] } }],
    ["negative tokens", { resume: { tokens: [-1] } }],
    ["more tokens than the request allows", { maxTokens: 2, resume: { tokens: [70, 71, 72] } }],
    ["more left to tell than there is", { logprobs: 1, resume: { tokens: [], held: [heldOf(70)] } }],
    ["tokens that its grammar forbids", { sampling: { grammar: 'root ::= "yes"' }, resume: { tokens: [300] } }],
  ] as const) {
    test(`is refused with ${name}`, async () => {
      await assert.rejects(ask("plain", { input: text("Once"), ...shape }), { code: "invalid_argument" });
    });
  }
});

function heldOf(token: number): TokenLogprob {
  return { token, text: "x", bytes: [120], logprob: -1, top: [] };
}
