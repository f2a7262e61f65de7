import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import Anthropic, { APIError, BadRequestError, RateLimitError } from "@anthropic-ai/sdk";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent } from "../../src/core/inference.js";
import { MODEL, namedEventsOf, withApi } from "./api-under-test.js";
import { endless, failing, finished, STARTED, saying, thinkingAndCalling } from "./scripted-inference.js";

const QUESTION = {
  model: MODEL,
  max_tokens: 64,
  messages: [{ role: "user" as const, content: "What is the capital of France?" }],
};

const WEATHER: Anthropic.Tool = {
  name: "weather",
  description: "The weather in a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

function client(url: string, maxRetries = 0): Anthropic {
  return new Anthropic({ baseURL: url, apiKey: "none", maxRetries });
}

/** Without the accessors that the client adds. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

async function* stopped(reason: "stop" | "length", stopSequence?: string): AsyncGenerator<InferenceEvent> {
  yield STARTED;
  yield { type: "delta", text: "Paris" };
  yield { ...finished(reason, 1), ...(stopSequence !== undefined && { stopSequence }) };
}

describe("the official Anthropic client", () => {
  test("gets the same message streamed and whole", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = thinkingAndCalling;
      const anthropic = client(url);
      const whole = await anthropic.messages.create(QUESTION);
      const streamed = await anthropic.messages.stream(QUESTION).finalMessage();
      const signature = createHash("sha256").update("Let me look.").digest("base64");
      assert.deepEqual(plain(whole.content), [
        { type: "thinking", thinking: "Let me look.", signature },
        { type: "text", text: "Looking", citations: null },
        { type: "tool_use", id: "call_1", name: "weather", input: { city: "Oslo" } },
        { type: "tool_use", id: "call_2", name: "time", input: {} },
      ]);
      assert.deepEqual(plain(streamed.content), plain(whole.content));
      assert.deepEqual(plain(streamed.usage), plain(whole.usage));
      assert.equal(whole.stop_reason, "tool_use");
      assert.equal(streamed.stop_reason, "tool_use");
      assert.match(whole.id, /^msg_[0-9a-f]+$/);
    });
  });

  test("sees the model, the role and the usage, where cached tokens are told apart", async () => {
    await withApi(async ({ url }) => {
      const answer = await client(url).messages.create({ ...QUESTION, model: "tiny" });
      assert.equal(answer.model, MODEL, "an alias answers with the id");
      assert.equal(answer.type, "message");
      assert.equal(answer.role, "assistant");
      assert.equal(answer.stop_reason, "end_turn");
      assert.equal(answer.stop_sequence, null);
      assert.deepEqual(plain(answer.usage), {
        input_tokens: 4,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 3,
        output_tokens: 4,
      });
      assert.match(answer._request_id ?? "", /^[a-z0-9]{8}$/);
    });
  });

  test("learns why an answer ended", async () => {
    await withApi(async ({ url, inference }) => {
      const anthropic = client(url);
      inference.script = () => stopped("length");
      assert.equal((await anthropic.messages.create(QUESTION)).stop_reason, "max_tokens");
      inference.script = () => stopped("stop", "###");
      const answer = await anthropic.messages.stream({ ...QUESTION, stop_sequences: ["###", "END"] }).finalMessage();
      assert.equal(answer.stop_reason, "stop_sequence");
      assert.equal(answer.stop_sequence, "###");
      assert.deepEqual(inference.requests.at(-1)?.stop, ["###", "END"]);
    });
  });

  test("streams events by name, blocks one after the other, and no end mark", async () => {
    await withApi(async ({ post, inference }) => {
      inference.script = thinkingAndCalling;
      const response = await post("/v1/messages", { ...QUESTION, stream: true });
      assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
      const events = await namedEventsOf(response);
      assert.ok(events.every(([name, data]) => Object(data).type === name));
      const block = (kind: string, deltas: number) => [
        `start ${kind}`,
        ...Array.from({ length: deltas }, () => "delta"),
        "stop",
      ];
      const shown = events.map(([name, data]) => {
        if (name === "content_block_start") return `start ${Object(data).content_block.type}`;
        return name.replace("content_block_", "");
      });
      assert.deepEqual(shown, [
        "message_start",
        "ping",
        ...block("thinking", 3),
        ...block("text", 1),
        ...block("tool_use", 2),
        ...block("tool_use", 1),
        "message_delta",
        "message_stop",
      ]);
      const indexes = events.filter(([name]) => name === "content_block_start").map(([, data]) => Object(data).index);
      assert.deepEqual(indexes, [0, 1, 2, 3]);
    });
  });

  test("sends what it can, in the words of the internal request", async () => {
    await withApi(async ({ url, inference }) => {
      await client(url).messages.create({
        ...QUESTION,
        system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
        stop_sequences: ["END"],
        metadata: { user_id: "me" },
        service_tier: "auto",
        thinking: { type: "enabled", budget_tokens: 1024 },
        tools: [WEATHER],
        tool_choice: { type: "any", disable_parallel_tool_use: true },
        output_config: { format: { type: "json_schema", schema: { type: "object" } } },
        ...{ temperature: 0.5, top_p: 0.9, top_k: 40 },
      });
      const [request] = inference.requests;
      const { name, description, input_schema: parameters } = WEATHER;
      assert.deepEqual(request?.input, {
        kind: "chat",
        messages: [{ role: "system", content: "Be brief." }, QUESTION.messages[0]],
        tools: [{ type: "function", function: { name, parameters, description } }],
        toolChoice: "required",
        parallelToolCalls: false,
        enableThinking: true,
      });
      assert.deepEqual(request?.sampling, { temperature: 0.5, topP: 0.9, topK: 40, jsonSchema: '{"type":"object"}' });
      assert.equal(request?.maxTokens, 64);
    });
  });

  test("chooses tools as it may", async () => {
    await withApi(async ({ url, inference }) => {
      const anthropic = client(url);
      const chosen = async (choice: Anthropic.ToolChoice): Promise<unknown> => {
        await anthropic.messages.create({
          ...QUESTION,
          tools: [WEATHER, { ...WEATHER, name: "b" }],
          tool_choice: choice,
        });
        const input = inference.requests.at(-1)?.input;
        assert.ok(input?.kind === "chat");
        return [input.toolChoice, input.tools?.length, input.parallelToolCalls];
      };
      assert.deepEqual(await chosen({ type: "auto" }), ["auto", 2, undefined]);
      assert.deepEqual(await chosen({ type: "none" }), ["none", 2, undefined]);
      assert.deepEqual(await chosen({ type: "tool", name: "b" }), ["required", 1, undefined]);
    });
  });

  test("goes on after tools were called: calls, thoughts and results become the template's messages", async () => {
    await withApi(async ({ url, inference }) => {
      await client(url).messages.create({
        ...QUESTION,
        tools: [WEATHER],
        messages: [
          ...QUESTION.messages,
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "Hm.", signature: "x" },
              { type: "text", text: "Looking." },
              { type: "tool_use", id: "call_1", name: "weather", input: { city: "Oslo" } },
              { type: "tool_use", id: "call_2", name: "weather", input: {} },
            ],
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "call_1", content: [{ type: "text", text: "Rain" }] },
              { type: "tool_result", tool_use_id: "call_2", content: "no city", is_error: true },
              { type: "text", text: "And?" },
            ],
          },
        ],
      });
      const input = inference.requests[0]?.input;
      assert.ok(input?.kind === "chat");
      const call = (id: string, text: string) => ({
        id,
        type: "function",
        function: { name: "weather", arguments: text },
      });
      assert.deepEqual(input.messages.slice(1), [
        {
          role: "assistant",
          content: "Looking.",
          reasoning_content: "Hm.",
          tool_calls: [call("call_1", '{"city":"Oslo"}'), call("call_2", "{}")],
        },
        { role: "tool", tool_call_id: "call_1", name: "weather", content: "Rain" },
        { role: "tool", tool_call_id: "call_2", name: "weather", content: "Error: no city" },
        { role: "user", content: "And?" },
      ]);
    });
  });

  test("begins the answer itself", async () => {
    await withApi(async ({ url, inference }) => {
      const messages = [...QUESTION.messages, { role: "assistant" as const, content: "It is" }];
      await client(url).messages.create({ ...QUESTION, messages });
      const prompt = "<user>What is the capital of France?It is";
      assert.deepEqual(inference.requests[0]?.input, { kind: "text", prompt });
      assert.equal(inference.templates[0]?.enableThinking, false);
      await assert.rejects(client(url).messages.create({ ...QUESTION, messages, tools: [WEATHER] }), {
        status: 400,
        message: /cannot use tools/,
      });
    });
  });

  test("counts tokens without asking the model", async () => {
    await withApi(async ({ url, inference }) => {
      const counted = await client(url).messages.countTokens({ model: MODEL, messages: QUESTION.messages });
      assert.equal(counted.input_tokens, [..."<user>What is the capital of France?"].length);
      assert.equal(inference.requests.length, 0);
      assert.deepEqual(
        inference.tokenizations.map(({ addSpecial, parseSpecial }) => [addSpecial, parseSpecial]),
        [[true, true]],
      );
    });
  });

  test("throws its own error classes, before and in the middle of a stream", async () => {
    await withApi(async ({ url, inference }) => {
      const anthropic = client(url);
      inference.script = () =>
        failing(new ExoError("context_exceeded", "The prompt has 5000 tokens; the context holds 4096."));
      await assert.rejects(anthropic.messages.create({ ...QUESTION, stream: true }), (thrown) => {
        assert.ok(thrown instanceof BadRequestError);
        assert.equal(thrown.type, "invalid_request_error");
        assert.match(thrown.message, /5000 tokens.*4096/);
        assert.match(thrown.requestID ?? "", /^[a-z0-9]{8}$/);
        return true;
      });
      inference.script = () => failing(new ExoError("overloaded", "All 4 slots are busy."));
      await assert.rejects(anthropic.messages.create(QUESTION), (thrown) => {
        assert.ok(thrown instanceof RateLimitError);
        assert.equal(thrown.headers.get("retry-after"), "1");
        return true;
      });
      inference.script = () => failing(new ExoError("stage_lost", "The node laptop went away."), ["Par", "is"]);
      const stream = anthropic.messages.stream(QUESTION);
      let text = "";
      stream.on("text", (piece) => {
        text += piece;
      });
      await assert.rejects(
        stream.finalMessage(),
        (thrown) => thrown instanceof APIError && thrown.type === "overloaded_error" && /laptop/.test(thrown.message),
      );
      assert.equal(text, "Paris");
    });
  });

  test("retries what may succeed, and nothing else", async () => {
    await withApi(async ({ url, inference }) => {
      const anthropic = client(url, 1);
      inference.script = () => failing(new ExoError("out_of_memory", "The device CPU has not enough memory."));
      await assert.rejects(anthropic.messages.create(QUESTION), { status: 507 });
      assert.equal(inference.requests.length, 1);
      inference.script = () =>
        inference.requests.length === 2
          ? failing(new ExoError("peer_unreachable", "The node laptop does not answer."))
          : saying(["Paris"]);
      const answer = await anthropic.messages.create(QUESTION);
      assert.deepEqual(plain(answer.content), [{ type: "text", text: "Paris", citations: null }]);
      assert.equal(inference.requests.length, 3);
    });
  });

  test("hangs up, and the answer ends", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = (_request, signal) =>
        endless(async () => new Promise((resolve) => setImmediate(resolve)), signal);
      const stream = await client(url).messages.create({ ...QUESTION, stream: true });
      for await (const event of stream) if (event.type === "content_block_delta") break;
      const [signal] = inference.signals;
      assert.ok(signal !== undefined);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
  });

  test("shows its key", async () => {
    await withApi(
      async ({ url }) => {
        await assert.rejects(client(url).messages.create(QUESTION), { status: 401, type: "authentication_error" });
        const keyed = new Anthropic({ baseURL: url, apiKey: "key-1" });
        assert.equal((await keyed.messages.create(QUESTION)).stop_reason, "end_turn");
      },
      { apiKeys: ["key-1"] },
    );
  });
});
