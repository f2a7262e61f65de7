import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI, { APIError } from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent } from "../../src/core/inference.js";
import { errorOf, MODEL, withApi } from "./api-under-test.js";
import { finished, logprob, STARTED, saying } from "./scripted-inference.js";

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

const TOOLS: OpenAI.Responses.FunctionTool[] = ["weather", "time"].map((name) => ({
  type: "function",
  name,
  parameters: { type: "object" },
  strict: false,
}));

describe("the official openai client, responses", () => {
  test("gets text, usage, and its own request back", async () => {
    await withApi(async ({ url, inference }) => {
      const response = await client(url).responses.create({
        model: "tiny",
        input: "What is the capital of France?",
        instructions: "Be brief.",
        temperature: 0,
        max_output_tokens: 50,
        metadata: { topic: "geography" },
        store: true,
      });
      assert.equal(response.output_text, "Paris is it.");
      assert.equal(response.status, "completed");
      assert.match(response.id, /^resp_/);
      assert.equal(response.model, MODEL);
      assert.equal(Reflect.get(response, "store"), false, "nothing is kept, whatever was asked");
      assert.deepEqual(response.metadata, { topic: "geography" });
      assert.equal(response.instructions, "Be brief.");
      assert.deepEqual(response.usage, {
        input_tokens: 7,
        input_tokens_details: { cached_tokens: 3 },
        output_tokens: 4,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 11,
      });
      assert.equal(inference.requests[0]?.maxTokens, 50);
      assert.deepEqual(inference.requests[0]?.input, {
        kind: "chat",
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "What is the capital of France?" },
        ],
      });
    });
  });

  test("streams events by OpenAI's names, in order and numbered", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = thinkingAndCalling;
      const stream = await client(url).responses.create({ model: MODEL, input: "Oslo?", tools: TOOLS, stream: true });
      const events = [];
      for await (const event of stream) events.push(event);
      const reasoning = ["content_part.added", "reasoning_text.delta", "reasoning_text.delta", "reasoning_text.done"];
      const message = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"];
      const item = (inner: readonly string[]) => ["output_item.added", ...inner, "output_item.done"];
      const call = (deltas: number) => [
        ...Array.from({ length: deltas }, () => "function_call_arguments.delta"),
        "function_call_arguments.done",
      ];
      assert.deepEqual(
        events.map(({ type }) => type.replace("response.", "")),
        [
          "created",
          "in_progress",
          ...item([...reasoning, "content_part.done"]),
          ...item(message),
          ...item(call(2)),
          ...item(call(1)),
          "completed",
        ],
      );
      assert.deepEqual(
        events.map((event) => event.sequence_number),
        [...events.keys()],
      );
    });
  });

  test("puts a stream together to what the answer is whole", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = thinkingAndCalling;
      const openai = client(url);
      const question = { model: MODEL, input: "Oslo?", tools: TOOLS };
      const whole = await openai.responses.create(question);
      const streamed = await openai.responses.stream(question).finalResponse();
      assert.deepEqual(
        whole.output.map(({ type }) => type),
        ["reasoning", "message", "function_call", "function_call"],
      );
      assert.deepEqual(bare(streamed.output), bare(whole.output));
      assert.deepEqual(streamed.usage, whole.usage);
      assert.equal(streamed.output_text, "Looking");
    });
  });

  test("parses an answer of a schema", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = () => saying(['{"good":', "true}"]);
      const format = zodTextFormat(z.object({ good: z.boolean() }), "verdict");
      const parsed = await client(url).responses.parse({ model: MODEL, input: "Well?", text: { format } });
      assert.deepEqual(parsed.output_parsed, { good: true });
      const schema = JSON.parse(inference.requests[0]?.sampling.jsonSchema ?? "null");
      assert.deepEqual(schema.required, ["good"]);
    });
  });

  test("gets what a model thinks in the summary's place when it asks for one", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = thinkingAndCalling;
      const stream = client(url).responses.stream({ model: MODEL, input: "Oslo?", reasoning: { summary: "auto" } });
      let told = "";
      stream.on("response.reasoning_summary_text.delta", ({ delta }) => {
        told += delta;
      });
      const { output } = await stream.finalResponse();
      assert.equal(told, "Let me look.");
      const [first] = output;
      assert.ok(first?.type === "reasoning");
      assert.deepEqual(first.summary, [{ type: "summary_text", text: "Let me look." }]);
    });
  });

  test("gets log-probabilities of the text", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "", reasoning: "hm", logprobs: [logprob("hm", -3)] };
        yield { type: "delta", text: "He", logprobs: [logprob("He", -0.25)] };
        yield { type: "delta", text: "y", logprobs: [logprob("y", Number.NEGATIVE_INFINITY)] };
        yield finished("stop", 3);
      };
      const question = {
        model: MODEL,
        input: "Hi",
        top_logprobs: 1,
        include: ["message.output_text.logprobs" as const],
      };
      const { output } = await client(url).responses.create(question);
      const message = output.find((item) => item.type === "message");
      const part = message?.content[0];
      assert.ok(part?.type === "output_text");
      assert.deepEqual(
        part.logprobs?.map(({ token, logprob: value }) => [token, value]),
        [
          ["He", -0.25],
          ["y", -9999],
        ],
      );
      assert.equal(inference.requests[0]?.logprobs, 2);
    });
  });

  test("says when an answer is incomplete", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "Par" };
        yield finished("length", 1);
      };
      const openai = client(url);
      const whole = await openai.responses.create({ model: MODEL, input: "Hi" });
      const streamed = await openai.responses.stream({ model: MODEL, input: "Hi" }).finalResponse();
      for (const { status, incomplete_details: details, output } of [whole, streamed]) {
        assert.equal(status, "incomplete");
        assert.deepEqual(details, { reason: "max_output_tokens" });
        assert.equal(Object(output[0]).status, "incomplete");
      }
    });
  });

  test("is told of a failure: as an HTTP error, as an error event, or as a failed response", async () => {
    await withApi(
      async ({ url, inference, post }) => {
        const openai = client(url);
        const lost = new ExoError("stage_lost", "The node laptop went away.");
        inference.script = () => failing(lost, []);
        await assert.rejects(openai.responses.create({ model: MODEL, input: "Hi", stream: true }), { status: 503 });
        inference.script = () => failing(lost, ["Par"]);
        const failed = await openai.responses.stream({ model: MODEL, input: "Hi" }).finalResponse();
        assert.equal(failed.status, "failed");
        assert.deepEqual(failed.error, { code: "stage_lost", message: "The node laptop went away." });
        assert.equal(failed.output_text, "Par");
        inference.script = () => failing(lost, [], 50);
        const stream = await openai.responses.create({ model: MODEL, input: "Hi", stream: true });
        await assert.rejects(
          async () => {
            for await (const _ of stream);
          },
          (thrown) => thrown instanceof APIError && thrown.code === "stage_lost",
        );
        inference.script = () => failing(new ExoError("context_exceeded", "Too long.", { param: "messages" }), []);
        assert.equal((await errorOf(await post("/v1/responses", { input: "Hi" }))).param, "input");
      },
      { heartbeatMilliseconds: 10 },
    );
  });

  test("counts the tokens of an input", async () => {
    await withApi(async ({ url, inference }) => {
      const { input_tokens: tokens } = await client(url).responses.inputTokens.count({ model: MODEL, input: "Hello" });
      assert.equal(tokens, "<user>Hello".length);
      assert.deepEqual(inference.tokenizations[0], {
        model: MODEL,
        text: "<user>Hello",
        addSpecial: true,
        parseSpecial: true,
      });
    });
  });

  test("finds no response again, for none is kept", async () => {
    await withApi(async ({ url }) => {
      const openai = client(url);
      for (const asked of [
        openai.responses.retrieve("resp_1"),
        openai.responses.delete("resp_1"),
        openai.responses.cancel("resp_1"),
      ]) {
        await assert.rejects(asked, (thrown) => thrown instanceof APIError && /not kept here/.test(thrown.message));
      }
    });
  });
});

/** Without what is other in every answer, and what the client adds. */
function bare(output: unknown): unknown {
  const own = new Set(["id", "parsed", "parsed_arguments"]);
  return JSON.parse(JSON.stringify(output), (key, value) => (own.has(key) ? undefined : value));
}

/** @param milliseconds until it begins */
async function* failing(error: ExoError, before: readonly string[], milliseconds = 0): AsyncGenerator<InferenceEvent> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  if (before.length > 0) yield STARTED;
  for (const text of before) yield { type: "delta", text };
  throw error;
}
