import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, streamObject, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";
import { CONTEXT, writeParityModel } from "../parity/models.js";
import { eventually } from "../support/eventually.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { busySlots } from "../support/ring-load.js";

const directory = mkdtempSync(join(tmpdir(), "exo-native-clients-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

const place = z.object({ city: z.enum(["Oslo", "Rome", "Lima"]), exact: z.boolean() });
const parameters = {
  type: "object",
  properties: { city: { enum: ["Oslo", "Rome", "Lima"] }, exact: { type: "boolean" } },
  required: ["city", "exact"],
  additionalProperties: false,
};
const QUESTION = "How warm is it?";
const messages = [{ role: "user" as const, content: QUESTION }];
/** Greedy, and every time computed alike. */
const steady = { temperature: 0, seed: 1 };

describe("OpenAI's clients against a ring of two nodes", () => {
  let ring: readonly NodeProcess[] = [];
  let model = "";

  before(async () => {
    ring = await startRing(2, writeParityModel(directory, "plain"), ["--ctx", String(CONTEXT), "--slots", "2"]);
    model = (await openaiAt(0).models.list()).data[0]?.id ?? "";
  });
  after(async () => {
    for (const node of ring) assert.equal(await node.stop(), 0);
  });

  const nodeAt = (index: number): NodeProcess => {
    const node = ring[index];
    assert.ok(node !== undefined);
    return node;
  };
  const openaiAt = (index: number): OpenAI =>
    new OpenAI({ baseURL: `${nodeAt(index).http}/v1`, apiKey: "none", maxRetries: 0 });
  const sdkModel = (index: number) =>
    createOpenAICompatible({
      name: "exo-native",
      baseURL: `${nodeAt(index).http}/v1`,
      includeUsage: true,
      supportsStructuredOutputs: true,
    }).chatModel(model);

  for (const node of [0, 1]) {
    const entry = node === 0 ? "the head" : "the other node";

    test(`openai: a tool call streams while it is written, and is valid, at ${entry}`, async () => {
      const question = {
        model,
        messages,
        ...steady,
        max_tokens: 120,
        tools: [{ type: "function" as const, function: { name: "weather", parameters } }],
        tool_choice: "required" as const,
      };
      const whole = await openaiAt(node).chat.completions.create(question);
      const [call] = whole.choices[0]?.message.tool_calls ?? [];
      assert.ok(call?.type === "function");
      assert.equal(call.function.name, "weather");
      place.parse(JSON.parse(call.function.arguments));
      assert.match(call.id, /^call_/);
      assert.equal(whole.choices[0]?.finish_reason, "tool_calls");
      const stream = await openaiAt(node).chat.completions.create({ ...question, stream: true });
      const deltas = [];
      for await (const { choices } of stream) deltas.push(...(choices[0]?.delta.tool_calls ?? []));
      const [first, ...others] = deltas;
      assert.match(first?.id ?? "", /^call_/);
      assert.equal(first?.function?.name, "weather");
      assert.ok(others.length >= 3, `${others.length} pieces of arguments`);
      assert.ok(others.every((delta) => delta.id === undefined && delta.function?.name === undefined));
      const written = deltas.map((delta) => delta.function?.arguments ?? "").join("");
      assert.equal(written, call.function.arguments);
    });

    test(`openai: responses, whole, streamed and with a tool, at ${entry}`, async () => {
      const openai = openaiAt(node);
      const question = { model, input: QUESTION, temperature: 0, max_output_tokens: 20 };
      const whole = await openai.responses.create(question);
      const streamed = await openai.responses.stream(question).finalResponse();
      assert.equal(streamed.output_text, whole.output_text);
      assert.equal(streamed.usage?.output_tokens, whole.usage?.output_tokens);
      const called = await openai.responses
        .stream({
          ...question,
          max_output_tokens: 120,
          tools: [{ type: "function", name: "weather", parameters, strict: true }],
          tool_choice: { type: "function", name: "weather" },
        })
        .finalResponse();
      const [call] = called.output;
      assert.ok(call?.type === "function_call");
      place.parse(JSON.parse(call.arguments));
      const answered = await openai.responses.create({
        ...question,
        input: [
          { role: "user", content: QUESTION },
          call,
          { type: "function_call_output", call_id: call.call_id, output: "20 degrees" },
        ],
        tools: [{ type: "function", name: "weather", parameters, strict: true }],
        tool_choice: "none",
      });
      assert.equal(answered.output[0]?.type, "message");
    });

    test(`AI SDK: text, whole and streamed, at ${entry}`, async () => {
      const ask = { model: sdkModel(node), prompt: QUESTION, maxOutputTokens: 20, ...steady };
      const whole = await generateText(ask);
      const streamed = streamText(ask);
      let text = "";
      for await (const piece of streamed.textStream) text += piece;
      assert.ok(text.length > 0);
      assert.equal(text, whole.text);
      assert.deepEqual((await streamed.usage).outputTokens, whole.usage.outputTokens);
      assert.equal(await streamed.finishReason, whole.finishReason);
    });

    test(`AI SDK: tools are called with arguments of their schema, at ${entry}`, async () => {
      const used: unknown[] = [];
      const weather = tool({
        description: "The weather in a city",
        inputSchema: place,
        execute: async (input) => {
          used.push(input);
          return "20 degrees";
        },
      });
      const ask = {
        model: sdkModel(node),
        prompt: QUESTION,
        maxOutputTokens: 120,
        ...steady,
        tools: { weather },
        toolChoice: "required" as const,
      };
      const whole = await generateText(ask);
      assert.equal(whole.toolCalls[0]?.toolName, "weather");
      assert.equal(whole.toolResults[0]?.output, "20 degrees");
      const streamed = streamText(ask);
      assert.deepEqual((await streamed.toolCalls)[0]?.input, whole.toolCalls[0]?.input);
      assert.equal(used.length, 2);
      for (const input of used) place.parse(input);
    });

    test(`AI SDK: objects of a schema, whole and streamed, at ${entry}`, async () => {
      const ask = { model: sdkModel(node), prompt: QUESTION, schema: place, maxOutputTokens: 120, ...steady };
      const { object } = await generateObject(ask);
      place.parse(object);
      const streamed = streamObject(ask);
      for await (const _ of streamed.partialObjectStream);
      assert.deepEqual(await streamed.object, object);
    });
  }

  test("a client that vanishes in the middle of a stream leaves no slot busy, whichever route it came by", async () => {
    const bodies: readonly (readonly [string, object])[] = [
      ["/v1/chat/completions", { messages, logit_bias: { 2: -100 } }],
      ["/v1/completions", { prompt: "Once", ignore_eos: true }],
      ["/v1/responses", { input: QUESTION, ignore_eos: true }],
    ];
    for (const [path, body] of bodies) {
      for (const node of ring) {
        const abort = new AbortController();
        const response = await fetch(node.http + path, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model, stream: true, ...body }),
          signal: abort.signal,
        });
        assert.equal(response.status, 200);
        const reader = response.body?.getReader();
        for (let read = 0; read < 5; read += 1) await reader?.read();
        abort.abort();
      }
      await eventually(async () => assert.equal(await busySlots(nodeAt(0)), 0));
    }
  });
});
