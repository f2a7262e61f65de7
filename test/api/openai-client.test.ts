import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI, { APIError, BadRequestError, RateLimitError } from "openai";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent } from "../../src/core/inference.js";
import { MODEL, withApi } from "./api-under-test.js";
import { finished, logprob, STARTED } from "./scripted-inference.js";

const messages = [{ role: "user" as const, content: "What is the capital of France?" }];

function client(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
}

async function* thinkingAndCalling(): AsyncGenerator<InferenceEvent> {
  yield STARTED;
  yield { type: "delta", text: "", reasoning: "Let me " };
  yield { type: "delta", text: "", reasoning: "look." };
  yield { type: "delta", text: "Looking" };
  yield { type: "delta", text: "", toolCalls: [{ index: 0, id: "call_1", name: "weather", arguments: "" }] };
  yield { type: "delta", text: "", toolCalls: [{ index: 0, arguments: '{"city":' }] };
  yield { type: "delta", text: "", toolCalls: [{ index: 0, arguments: '"Oslo"}' }] };
  yield { type: "delta", text: "", toolCalls: [{ index: 1, id: "call_2", name: "time", arguments: "{}" }] };
  yield finished("tool_calls", 12);
}

describe("the official openai client", () => {
  test("gets the same answer streamed and whole", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = thinkingAndCalling;
      const openai = client(url);
      const whole = await openai.chat.completions.create({ model: MODEL, messages });
      const stream = openai.chat.completions.stream({
        model: MODEL,
        messages,
        stream_options: { include_usage: true },
      });
      const streamed = await stream.finalChatCompletion();
      const [one, other] = [whole.choices[0], streamed.choices[0]];
      assert.equal(one?.message.content, "Looking");
      assert.equal(other?.message.content, "Looking");
      assert.equal(one?.finish_reason, "tool_calls");
      assert.equal(other?.finish_reason, "tool_calls");
      assert.equal(Reflect.get(one?.message ?? {}, "reasoning_content"), "Let me look.");
      const calls = [
        { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } },
        { id: "call_2", type: "function", function: { name: "time", arguments: "{}" } },
      ];
      assert.deepEqual(one?.message.tool_calls, calls);
      const names = other?.message.tool_calls?.map((call) => (call.type === "function" ? call.function.arguments : ""));
      assert.deepEqual(
        names,
        calls.map((call) => call.function.arguments),
      );
      assert.deepEqual(streamed.usage, whole.usage);
    });
  });

  test("sees usage, timings, the model and the fingerprint", async () => {
    await withApi(async ({ url }) => {
      const whole = await client(url).chat.completions.create({ model: "tiny", messages });
      assert.deepEqual(whole.usage, {
        prompt_tokens: 7,
        completion_tokens: 4,
        total_tokens: 11,
        prompt_tokens_details: { cached_tokens: 3 },
        completion_tokens_details: {
          reasoning_tokens: 0,
          accepted_prediction_tokens: 2,
          rejected_prediction_tokens: 1,
        },
      });
      assert.equal(whole.model, MODEL, "an alias answers with the id");
      assert.equal(whole.system_fingerprint, "exo-native-0.1.0+b1234");
      const timings: unknown = Reflect.get(whole, "timings");
      assert.deepEqual(timings, {
        cache_n: 3,
        prompt_n: 4,
        prompt_ms: 200,
        prompt_per_token_ms: 50,
        prompt_per_second: 20,
        predicted_n: 4,
        predicted_ms: 500,
        predicted_per_token_ms: 125,
        predicted_per_second: 8,
        queue_ms: 10,
      });
    });
  });

  test("gets several choices, streamed and whole, with different seeds", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = async function* (request) {
        yield STARTED;
        yield { type: "delta", text: `seed ` };
        yield { type: "delta", text: `${request.sampling.seed}` };
        yield finished("stop", 2);
      };
      const openai = client(url);
      const whole = await openai.chat.completions.create({ model: MODEL, messages, n: 3, seed: 40 });
      assert.deepEqual(
        whole.choices.map((choice) => [choice.index, choice.message.content]),
        [
          [0, "seed 40"],
          [1, "seed 41"],
          [2, "seed 42"],
        ],
      );
      assert.equal(whole.usage?.prompt_tokens, 7, "the prompt counts once");
      assert.equal(whole.usage?.completion_tokens, 6);
      const streamed = await openai.chat.completions
        .stream({ model: MODEL, messages, n: 3, seed: 40 })
        .finalChatCompletion();
      assert.deepEqual(
        streamed.choices.map((choice) => choice.message.content),
        ["seed 40", "seed 41", "seed 42"],
      );
      assert.equal(new Set(inference.requests.map((request) => request.id)).size, 6);
    });
  });

  test("gets log-probabilities in chat and in the older shape of completions", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "He", logprobs: [logprob("He", -0.25)] };
        yield { type: "delta", text: "y", logprobs: [logprob("y", -0.5)] };
        yield finished("stop", 2);
      };
      const openai = client(url);
      const chat = await openai.chat.completions.create({ model: MODEL, messages, logprobs: true, top_logprobs: 2 });
      const content = chat.choices[0]?.logprobs?.content ?? [];
      assert.deepEqual(
        content.map((one) => [one.token, one.logprob, one.bytes, one.top_logprobs.length]),
        [
          ["He", -0.25, [72, 101], 2],
          ["y", -0.5, [121], 2],
        ],
      );
      assert.equal(inference.requests[0]?.logprobs, 3);
      const text = await openai.completions.create({ model: MODEL, prompt: "Say", logprobs: 2 });
      assert.deepEqual(text.choices[0]?.logprobs, {
        tokens: ["He", "y"],
        token_ids: [72, 121],
        token_logprobs: [-0.25, -0.5],
        top_logprobs: [
          { He: -0.25, other: -1.25 },
          { y: -0.5, other: -1.5 },
        ],
        text_offset: [0, 2],
      });
    });
  });

  test("completes several prompts and echoes them", async () => {
    await withApi(async ({ url, inference }) => {
      const openai = client(url);
      const both = await openai.completions.create({ model: MODEL, prompt: ["One ", "Two "], echo: true, n: 2 });
      assert.deepEqual(
        both.choices.map((choice) => choice.text),
        ["One Paris is it.", "One Paris is it.", "Two Paris is it.", "Two Paris is it."],
      );
      assert.equal(both.usage?.prompt_tokens, 14);
      const parts: string[] = [];
      const stream = await openai.completions.create({ model: MODEL, prompt: [79, 107], echo: true, stream: true });
      for await (const chunk of stream) parts.push(chunk.choices[0]?.text ?? "");
      assert.equal(parts.join(""), "OkParis is it.");
      assert.deepEqual(inference.requests.at(-1)?.input, { kind: "text", prompt: [79, 107] });
    });
  });

  test("lists and finds models, also one with a slash in its id", async () => {
    await withApi(async ({ url }) => {
      const openai = client(url);
      const listed = [];
      for await (const model of openai.models.list()) listed.push(model.id);
      assert.deepEqual(listed, [MODEL]);
      const found = await openai.models.retrieve(MODEL);
      assert.equal(found.owned_by, "exo-native");
      await assert.rejects(openai.models.retrieve("nothing"), { status: 404, code: "model_not_found" });
    });
  });

  test("throws its own error classes, before and in the middle of a stream", async () => {
    await withApi(async ({ url, inference }) => {
      const openai = client(url);
      inference.script = () =>
        failing(new ExoError("context_exceeded", "The prompt has 5000 tokens; the context holds 4096."));
      await assert.rejects(openai.chat.completions.create({ model: MODEL, messages, stream: true }), (thrown) => {
        assert.ok(thrown instanceof BadRequestError);
        assert.match(thrown.message, /5000 tokens.*4096/);
        return true;
      });
      inference.script = () => failing(new ExoError("overloaded", "All 4 slots are busy."));
      await assert.rejects(openai.chat.completions.create({ model: MODEL, messages }), (thrown) => {
        assert.ok(thrown instanceof RateLimitError);
        assert.equal(thrown.headers.get("retry-after"), "1");
        return true;
      });
      inference.script = () => failing(new ExoError("stage_lost", "The node laptop went away."), ["Par", "is"]);
      const stream = await openai.chat.completions.create({ model: MODEL, messages, stream: true });
      let text = "";
      await assert.rejects(
        async () => {
          for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
        },
        (thrown) => thrown instanceof APIError && thrown.code === "stage_lost" && /laptop/.test(thrown.message),
      );
      assert.equal(text, "Paris");
    });
  });

  test("does not retry what is hopeless, and retries what is not", async () => {
    await withApi(async ({ url, inference }) => {
      const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 1 });
      inference.script = () => failing(new ExoError("out_of_memory", "The device CPU has not enough memory."));
      await assert.rejects(openai.chat.completions.create({ model: MODEL, messages }), { status: 507 });
      assert.equal(inference.requests.length, 1);
      inference.script = (request) =>
        inference.requests.length === 2
          ? failing(new ExoError("peer_unreachable", "The node laptop does not answer."))
          : answering(`as ${request.model}`);
      const answer = await openai.chat.completions.create({ model: MODEL, messages });
      assert.equal(answer.choices[0]?.message.content, `as ${MODEL}`);
      assert.equal(inference.requests.length, 3);
    });
  });
});

async function* failing(error: ExoError, before: readonly string[] = []): AsyncGenerator<InferenceEvent> {
  if (before.length > 0) yield STARTED;
  for (const text of before) yield { type: "delta", text };
  throw error;
}

async function* answering(text: string): AsyncGenerator<InferenceEvent> {
  yield STARTED;
  yield { type: "delta", text };
  yield finished("stop", 1);
}
