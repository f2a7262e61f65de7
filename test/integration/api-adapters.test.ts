import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import { z } from "zod";
import { CHATML_TEMPLATE } from "../support/chat-template.js";
import { post } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { busySlots } from "../support/ring-load.js";

const model = tinyModel({ chatTemplate: CHATML_TEMPLATE, contextLength: 2048 });

const QUESTION = { role: "user" as const, content: "Tell me of the sea." };
const TOKENS = 24;

const chatSchema = z.object({ choices: z.array(z.object({ message: z.object({ content: z.string() }) })).length(1) });
const embeddingsSchema = z.object({ data: z.array(z.object({ embedding: z.array(z.number()) })).length(2) });
const argumentsSchema = z.strictObject({ city: z.enum(["Oslo", "Rome"]) });

const SCHEMA = {
  type: "object" as const,
  properties: { city: { type: "string", enum: ["Oslo", "Rome"] } },
  required: ["city"],
  additionalProperties: false,
};

describe("Anthropic's and Ollama's clients at a ring of two", () => {
  let head: NodeProcess;
  let worker: NodeProcess;
  /** What OpenAI's route answers, greedily. */
  let expected = "";

  before(async () => {
    const [first, second] = await startRing(2, model, ["--ctx", "1024", "--slots", "2"]);
    assert.ok(first !== undefined && second !== undefined);
    [head, worker] = [first, second];
    const body = { messages: [QUESTION], max_tokens: TOKENS, temperature: 0 };
    const answer: unknown = await (await post(worker, "/v1/chat/completions", body)).json();
    expected = chatSchema.parse(answer).choices[0]?.message.content ?? "";
    assert.ok(expected.length > 4, expected);
  });
  after(async () => {
    assert.equal(await head.stop(), 0);
    assert.equal(await worker.stop(), 0);
  });

  const anthropicAt = (node: NodeProcess) => new Anthropic({ baseURL: node.http, apiKey: "none", maxRetries: 0 });
  const ollamaAt = (node: NodeProcess) => new Ollama({ host: node.http });
  const ask = (fields: object = {}) => ({
    model: "tiny",
    max_tokens: TOKENS,
    messages: [QUESTION],
    ...{ temperature: 0 },
    ...fields,
  });

  const textOf = ({ content }: Anthropic.Message): string =>
    content.map((block) => (block.type === "text" ? block.text : "")).join("");

  test("messages: any node answers the same, streamed and whole", async () => {
    for (const node of [head, worker]) {
      const whole = await anthropicAt(node).messages.create(ask());
      const streamed = await anthropicAt(node).messages.stream(ask()).finalMessage();
      assert.equal(textOf(whole), expected);
      assert.equal(textOf(streamed), expected);
      assert.equal(streamed.stop_reason, whole.stop_reason);
      assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
    }
  });

  test("messages: the stop sequence that ended an answer is told by the node that was asked", async () => {
    const end = expected.slice(2, 4);
    const answer = await anthropicAt(worker).messages.create(ask({ stop_sequences: ["never said", end] }));
    assert.equal(answer.stop_reason, "stop_sequence");
    assert.equal(answer.stop_sequence, end);
    assert.equal(textOf(answer), expected.slice(0, expected.indexOf(end)));
  });

  test("messages: tokens are counted as they are used", async () => {
    const { input_tokens: counted } = await anthropicAt(worker).messages.countTokens({
      model: "tiny",
      messages: [QUESTION],
    });
    const { usage } = await anthropicAt(worker).messages.create(ask());
    assert.equal(usage.input_tokens + (usage.cache_read_input_tokens ?? 0), counted);
    assert.ok((usage.cache_read_input_tokens ?? 0) > 0, "the prompt was asked before");
  });

  test("messages: a begun answer goes on as it did", async () => {
    const begun = expected.slice(0, 3);
    const messages = [QUESTION, { role: "assistant" as const, content: begun }];
    const answer = await anthropicAt(head).messages.create(ask({ messages, max_tokens: 4 }));
    assert.ok(textOf(answer).length > 0);
    assert.equal(answer.content.length, 1);
  });

  test("ollama: chat and generate answer the same, streamed and whole", async () => {
    const options = { temperature: 0, num_predict: TOKENS };
    for (const node of [head, worker]) {
      const ollama = ollamaAt(node);
      const chat = await ollama.chat({ model: "tiny", messages: [QUESTION], options });
      const generated = await ollama.generate({ model: "tiny:latest", prompt: QUESTION.content, options });
      let streamed = "";
      for await (const line of await ollama.chat({ model: "tiny", messages: [QUESTION], options, stream: true })) {
        streamed += line.message.content;
      }
      assert.equal(chat.message.content, expected);
      assert.equal(generated.response, expected);
      assert.equal(streamed, expected);
      assert.ok(chat.eval_duration > 0 && chat.prompt_eval_duration > 0);
      assert.ok(chat.total_duration >= chat.eval_duration + chat.prompt_eval_duration);
    }
  });

  test("ollama: an answer follows a schema", async () => {
    const options = { temperature: 0, num_predict: 300 };
    const ollama = ollamaAt(worker);
    const answer = await ollama.generate({ model: "tiny", prompt: "A city?", format: SCHEMA, options });
    assert.equal(answer.done_reason, "stop");
    argumentsSchema.parse(JSON.parse(answer.response ?? ""));
  });

  test("ollama: embeds as OpenAI's route does", async () => {
    const { embeddings } = await ollamaAt(worker).embed({ model: "tiny", input: ["the sea", "the land"] });
    const body = { model: "tiny", input: ["the sea", "the land"] };
    const { data } = embeddingsSchema.parse(await (await post(head, "/v1/embeddings", body)).json());
    assert.equal(embeddings.length, 2);
    for (const [index, { embedding }] of data.entries()) {
      const dot = embedding.reduce((sum, value, at) => sum + value * (embeddings[index]?.[at] ?? 0), 0);
      assert.ok(Math.abs(dot - 1) < 1e-5, `${dot}`);
    }
  });

  test("ollama: tells what there is, and what is loaded", async () => {
    const ollama = ollamaAt(head);
    const { models } = await ollama.list();
    assert.ok(models.some(({ name }) => name === "tiny:latest"));
    const { models: loaded } = await ollama.ps();
    assert.deepEqual(
      loaded.map(({ name, size_vram }) => [name, size_vram]),
      [["tiny:latest", 0]],
    );
    const shown = await ollama.show({ model: "tiny" });
    assert.equal(shown.details.family, "llama");
    assert.equal(shown.template, CHATML_TEMPLATE);
    assert.deepEqual(shown.capabilities, ["completion", "tools"]);
    assert.equal(Reflect.get(shown.model_info, "llama.context_length"), 2048);
    await assert.rejects(ollama.show({ model: "nothing" }), { status_code: 404, message: /there are: .*tiny/ });
    await assert.rejects(ollama.generate({ model: "tiny", prompt: "", keep_alive: 0 }), /kept loaded/);
  });

  test("both: a client that leaves frees its slot, and an unknown model is told with what there is", async () => {
    const left = new AbortController();
    const request = { model: "tiny", messages: [QUESTION], options: { num_predict: 900 }, stream: true };
    const response = await post(worker, "/api/chat", request, left.signal);
    await response.body?.getReader().read();
    left.abort();
    const stream = await anthropicAt(worker).messages.create({ ...ask({ max_tokens: 900 }), stream: true });
    for await (const event of stream) if (event.type === "content_block_delta") break;
    await eventually(async () => assert.equal(await busySlots(head), 0));
    await assert.rejects(anthropicAt(head).messages.create(ask({ model: "claude" })), {
      status: 404,
      type: "not_found_error",
      message: /claude.*there are: .*tiny/,
    });
  });
});
