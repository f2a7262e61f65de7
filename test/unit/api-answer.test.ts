import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { generateChoices } from "../../src/api/generate-choices.js";
import { type AnswerContext, collectAnswers } from "../../src/api/openai/answer.js";
import { chatChunks, chatCompletion } from "../../src/api/openai/chat-answer.js";
import { textChunks, textCompletion } from "../../src/api/openai/completion-answer.js";
import { parseChat, parseTemplate } from "../../src/api/schema/chat.js";
import { parseCompletion } from "../../src/api/schema/completion.js";
import { toInferenceRequests } from "../../src/api/schema/request.js";
import { parseDetokenize, parseTokenize } from "../../src/api/schema/text.js";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent, InferenceRequest, TokenLogprob } from "../../src/core/inference.js";
import { finished, logprob, ScriptedInference, STARTED } from "../api/scripted-inference.js";

const request = (id: string): InferenceRequest => ({
  id,
  model: "m",
  input: { kind: "text", prompt: "p" },
  sampling: {},
  stop: [],
  logprobs: 0,
});

function context(choices: number): AnswerContext {
  return {
    id: "i",
    model: "m",
    created: 1,
    systemFingerprint: "f",
    choices,
    choicesPerInput: choices,
    includeUsage: true,
  };
}

const delta = fc.record({
  type: fc.constant("delta" as const),
  text: fc.string({ maxLength: 4 }),
  reasoning: fc.string({ maxLength: 3 }),
  logprobs: fc.array(
    fc.string({ minLength: 1, maxLength: 2 }).map((text): TokenLogprob => logprob(text, -1)),
    { maxLength: 2 },
  ),
  toolCalls: fc.array(fc.record({ index: fc.integer({ min: 0, max: 2 }), arguments: fc.string({ maxLength: 3 }) }), {
    maxLength: 2,
  }),
});
const script = fc
  .array(delta, { maxLength: 6 })
  .map((deltas): readonly InferenceEvent[] => [STARTED, ...deltas, finished("stop", deltas.length)]);
const scripts = fc.array(script, { minLength: 1, maxLength: 12 });

function events(all: readonly (readonly InferenceEvent[])[]) {
  const inference = new ScriptedInference(async function* ({ id }) {
    yield* all[Number(id)] ?? [];
  });
  const requests = all.map((_, index) => request(String(index)));
  return generateChoices(inference, requests, new AbortController().signal);
}

async function all(
  chunks: AsyncIterable<object>,
): Promise<readonly (Record<string, unknown> & { choices: readonly ChunkChoice[] })[]> {
  const collected = [];
  for await (const chunk of chunks) collected.push(JSON.parse(JSON.stringify(chunk)));
  return collected;
}

interface ChunkChoice {
  readonly index: number;
  readonly text?: string;
  readonly delta: {
    readonly content?: string;
    readonly reasoning_content?: string;
    readonly tool_calls?: readonly { readonly index: number; readonly function: { readonly arguments?: string } }[];
  };
  readonly logprobs: { readonly content: readonly unknown[]; readonly text_offset: readonly number[] } | null;
  readonly finish_reason: string | null;
}

describe("a streamed answer", () => {
  test("put together is the whole answer, in chat", async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async (answers) => {
        const whole = chatCompletion(context(answers.length), await collectAnswers(events(answers), answers.length));
        const chunks = await all(chatChunks(context(answers.length), events(answers)));
        for (const { index, message, logprobs, finish_reason } of whole.choices) {
          const mine = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
          assert.equal(mine.map((choice) => choice.delta.content ?? "").join(""), message.content ?? "");
          assert.equal(
            mine.map((choice) => choice.delta.reasoning_content ?? "").join(""),
            message.reasoning_content ?? "",
          );
          const calls = message.tool_calls ?? [];
          const streamed = mine.flatMap((choice) => choice.delta.tool_calls ?? []);
          const indexes = [...new Set(streamed.map((call) => call.index))].sort();
          assert.deepEqual(
            indexes.map((at) =>
              streamed
                .filter((call) => call.index === at)
                .map((call) => call.function.arguments)
                .join(""),
            ),
            calls.map((call) => call.function.arguments),
          );
          assert.deepEqual(
            mine.flatMap((choice) => choice.logprobs?.content ?? []),
            logprobs?.content ?? [],
          );
          assert.deepEqual(
            mine.map((choice) => choice.finish_reason).filter((reason) => reason !== null),
            [finish_reason],
          );
          assert.equal(mine.at(-1)?.finish_reason, finish_reason, "the reason comes last");
        }
        assert.deepEqual(chunks.at(-1)?.usage, whole.usage);
      }),
      { numRuns: 60 },
    );
  });

  test("put together is the whole answer, in completions", async () => {
    await fc.assert(
      fc.asyncProperty(scripts, fc.boolean(), async (answers, echo) => {
        const echoes = echo ? answers.map((_, index) => `prompt ${index}`) : [];
        const whole = textCompletion(
          context(answers.length),
          await collectAnswers(events(answers), answers.length),
          echoes,
        );
        const chunks = await all(textChunks(context(answers.length), events(answers), echoes));
        for (const { index, text, logprobs, finish_reason } of whole.choices) {
          const mine = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
          assert.equal(mine.map((choice) => choice.text ?? "").join(""), text);
          assert.deepEqual(
            mine.flatMap((choice) => choice.logprobs?.text_offset ?? []),
            logprobs?.text_offset ?? [],
          );
          assert.equal(mine.at(-1)?.finish_reason, finish_reason);
        }
        assert.deepEqual(chunks.at(-1)?.usage, whole.usage);
      }),
      { numRuns: 60 },
    );
  });

  test("ends all its choices when one fails or the reader leaves", async () => {
    const inference = new ScriptedInference(async function* ({ id }, signal) {
      yield STARTED;
      if (id === "bad") throw new ExoError("stage_lost", "The node went away.");
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      signal.throwIfAborted();
    });
    const failing = generateChoices(inference, [request("good"), request("bad")], new AbortController().signal);
    await assert.rejects(async () => {
      for await (const _ of failing);
    }, /went away/);
    assert.ok(inference.signals.every((signal) => signal.aborted));
    const left = generateChoices(inference, [request("1"), request("2")], new AbortController().signal);
    for await (const _ of left) break;
    assert.ok(inference.signals.every((signal) => signal.aborted));
  });

  test("waits with choices for which there is no room until others of the same request have ended", async () => {
    let [running, most] = [0, 0];
    const inference = new ScriptedInference(async function* () {
      if (running === 2) throw new ExoError("overloaded", "full");
      running += 1;
      most = Math.max(most, running);
      yield STARTED;
      yield finished("stop", 0);
      running -= 1;
    });
    const requests = Array.from({ length: 9 }, (_, index) => request(String(index)));
    const answers = await collectAnswers(generateChoices(inference, requests, new AbortController().signal), 9);
    assert.deepEqual([answers.length, most], [9, 2]);
    const full = new ScriptedInference(async function* () {
      yield* [];
      throw new ExoError("overloaded", "full");
    });
    const refused = collectAnswers(generateChoices(full, requests, new AbortController().signal), 9);
    await assert.rejects(refused, { code: "overloaded" });
  });

  test("ends on abort although the service does not listen", async () => {
    const deaf = new ScriptedInference(async function* () {
      yield STARTED;
      await new Promise(() => {});
    });
    const client = new AbortController();
    const events = generateChoices(deaf, [request("1")], client.signal);
    await events.next();
    const next = events.next();
    client.abort(new ExoError("cancelled", "The client is gone."));
    await assert.rejects(next, { code: "cancelled" });
  });
});

describe("any JSON at all", () => {
  const parsers = [parseChat, parseTemplate, parseCompletion, parseTokenize, parseDetokenize];
  const fields = ["messages", "prompt", "content", "tokens", "stop", "n", "tools", "tool_choice", "logit_bias", "seed"];
  const odd = fc.dictionary(
    fc.constantFrom(...fields, "model", "stream", "max_tokens", "response_format"),
    fc.jsonValue(),
  );
  const likely = fc.record(
    {
      messages: fc.array(fc.record({ role: fc.constantFrom("user", "tool", 7), content: fc.jsonValue() }), {
        maxLength: 3,
      }),
      stop: fc.oneof(fc.string(), fc.array(fc.string())),
      tools: fc.jsonValue(),
      seed: fc.integer(),
      temperature: fc.double(),
    },
    { requiredKeys: [] },
  );

  test("is either understood or refused as the caller's fault", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), odd, likely), (body) => {
        for (const parse of parsers) {
          try {
            parse(body);
          } catch (thrown) {
            assert.ok(thrown instanceof ExoError, String(thrown));
            assert.ok(thrown.code === "invalid_argument" || thrown.code === "unsupported");
            assert.match(thrown.message, /\.$/);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("that chat understands makes requests with seeds of 32 bits and ids of their own", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 16 }), (seed, n) => {
        const parsed = parseChat({ messages: [{ role: "user", content: "x" }], seed, n });
        const requests = toInferenceRequests(parsed, "id", "m");
        assert.equal(new Set(requests.map(({ id }) => id)).size, n);
        for (const { sampling } of requests) {
          if (seed !== -1) assert.ok(sampling.seed !== undefined && sampling.seed >= 0 && sampling.seed < 2 ** 32);
        }
      }),
    );
  });
});
