import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { generateChoices } from "../../src/api/generate-choices.js";
import { type AnswerContext, collectAnswers } from "../../src/api/openai/answer.js";
import { ResponseAnswer } from "../../src/api/openai/responses/answer.js";
import { parseResponses } from "../../src/api/schema/responses.js";
import type { NamedEvent } from "../../src/api/stream-format.js";
import { ExoError } from "../../src/core/errors.js";
import type { FinishReason, InferenceEvent, ToolCallDelta } from "../../src/core/inference.js";
import { finished, logprob, ScriptedInference, STARTED } from "../api/scripted-inference.js";

const CONTEXT: AnswerContext = {
  id: "resp-1",
  model: "m",
  created: 1,
  systemFingerprint: "f",
  choices: 1,
  choicesPerInput: 1,
  includeUsage: false,
};

const HELLO = { input: "Hello" };

async function both(script: readonly InferenceEvent[], body: object) {
  const inference = new ScriptedInference(async function* () {
    yield* script;
  });
  const request = {
    id: "1",
    model: "m",
    input: { kind: "text" as const, prompt: "" },
    sampling: {},
    stop: [],
    logprobs: 0,
  };
  const events = () => generateChoices(inference, [request], new AbortController().signal);
  const answer = () => new ResponseAnswer(parseResponses(body).echo, () => 2);
  const streamed: NamedEvent[] = [];
  for await (const event of answer().events(CONTEXT, events())) streamed.push(event);
  return { streamed, whole: answer().document(CONTEXT, await collectAnswers(events(), 1)) };
}

const piece = fc.string({ minLength: 1, maxLength: 3 });
const pieces = fc.array(piece, { maxLength: 3 });
const reason = fc.constantFrom<FinishReason>("stop", "length", "tool_calls");

function deltasOf(kind: "text" | "reasoning", texts: readonly string[]): InferenceEvent[] {
  return texts.map((text) =>
    kind === "text"
      ? { type: "delta", text, logprobs: [logprob(text, -1)] }
      : { type: "delta", text: "", reasoning: text, logprobs: [logprob(text, -2)] },
  );
}

function callsOf(calls: readonly (readonly string[])[]): InferenceEvent[] {
  return calls.flatMap((texts, index): InferenceEvent[] => {
    const toDelta = (call: ToolCallDelta): InferenceEvent => ({ type: "delta", text: "", toolCalls: [call] });
    const begun = toDelta({ index, id: `call_${index}`, name: `f${index}`, arguments: "" });
    return [begun, ...texts.map((text) => toDelta({ index, arguments: text }))];
  });
}

describe("a response", () => {
  test("ends its stream with what it is whole, item by item", async () => {
    const script = fc
      .tuple(pieces, pieces, fc.array(pieces, { maxLength: 2 }), reason)
      .map(([thoughts, texts, calls, why]) => [
        STARTED,
        ...deltasOf("reasoning", thoughts),
        ...deltasOf("text", texts),
        ...callsOf(calls),
        finished(why, 3),
      ]);
    await fc.assert(
      fc.asyncProperty(script, fc.boolean(), async (events, summary) => {
        const { streamed, whole } = await both(events, {
          ...HELLO,
          ...(summary && { reasoning: { summary: "auto" } }),
        });
        const last = Object(streamed.at(-1)?.data);
        assert.deepEqual(last.response, JSON.parse(JSON.stringify(whole)));
        assert.equal(last.type, `response.${whole.status}`);
        const done = streamed
          .filter(({ event }) => event === "response.output_item.done")
          .map(({ data }) => Object(data));
        assert.deepEqual(
          done.map(({ item }) => item),
          whole.output,
        );
        assert.deepEqual(
          streamed.map(({ data }) => Object(data).sequence_number),
          [...streamed.keys()],
        );
        for (const { event, data } of streamed) assert.equal(Object(data).type, event);
      }),
      { numRuns: 60 },
    );
  });

  test("keeps every piece, also where a model goes back and forth", async () => {
    const any = fc.oneof(
      piece.map((text) => deltasOf("text", [text])),
      piece.map((text) => deltasOf("reasoning", [text])),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(any, { maxLength: 8 }), async (parts) => {
        const { streamed, whole } = await both([STARTED, ...parts.flat(), finished("stop", 1)], HELLO);
        const output: unknown[] = Object(streamed.at(-1)?.data).response.output;
        for (const type of ["message", "reasoning"])
          assert.equal(textOf(output, type), textOf(whole.output, type), type);
      }),
      { numRuns: 60 },
    );
  });
});

function textOf(output: readonly unknown[], type: string): string {
  return output
    .map((item) => Object(item))
    .filter((item) => item.type === type)
    .flatMap((item) => item.content)
    .map((part) => part.text)
    .join("");
}

describe("the input of a response", () => {
  const messagesOf = (body: object) => parseResponses(body).inputs[0].messages;

  test("becomes messages, one for each turn of the assistant", () => {
    const messages = messagesOf({
      instructions: "Be brief.",
      input: [
        { role: "user", content: "What time is it?" },
        { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "I must look." }] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "Looking.", annotations: [] }] },
        { type: "function_call", call_id: "call_1", name: "clock", arguments: "" },
        { type: "function_call", call_id: "call_2", name: "date", arguments: '{"utc":true}' },
        { type: "function_call_output", call_id: "call_1", output: "noon" },
        { type: "function_call_output", call_id: "call_2", output: [{ type: "input_text", text: "Friday" }] },
        {
          role: "developer",
          content: [
            { type: "input_text", text: "One." },
            { type: "input_text", text: "Two." },
          ],
        },
        { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      ],
    });
    const call = (id: string, name: string, text: string) => ({
      id,
      type: "function",
      function: { name, arguments: text },
    });
    assert.deepEqual(messages, [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What time is it?" },
      {
        role: "assistant",
        content: "Looking.",
        reasoning_content: "I must look.",
        tool_calls: [call("call_1", "clock", "{}"), call("call_2", "date", '{"utc":true}')],
      },
      { role: "tool", tool_call_id: "call_1", content: "noon" },
      { role: "tool", tool_call_id: "call_2", content: "Friday" },
      {
        role: "developer",
        content: [
          { type: "text", text: "One." },
          { type: "text", text: "Two." },
        ],
      },
      { role: "assistant", content: "No." },
    ]);
    assert.deepEqual(messagesOf({ input: "Hi" }), [{ role: "user", content: "Hi" }]);
    const summed = { type: "reasoning", summary: [{ type: "summary_text", text: "Short." }], encrypted_content: null };
    assert.deepEqual(messagesOf({ input: [summed] }), [
      { role: "assistant", content: "", reasoning_content: "Short." },
    ]);
  });

  test("says what may be done with which tools", () => {
    const tools = ["a", "b"].map((name) => ({ type: "function", name, parameters: { type: "object" }, strict: true }));
    const chosen = (choice: unknown) => {
      const prompt = parseResponses({ ...HELLO, tools, tool_choice: choice }).inputs[0];
      return [prompt.toolChoice, prompt.tools?.map((tool) => Object(tool).function.name)];
    };
    assert.deepEqual(chosen("auto"), ["auto", ["a", "b"]]);
    assert.deepEqual(chosen("none"), ["none", ["a", "b"]]);
    assert.deepEqual(chosen({ type: "function", name: "b" }), ["required", ["b"]]);
    const allowed = { type: "allowed_tools", mode: "auto", tools: [{ type: "function", name: "a" }] };
    assert.deepEqual(chosen(allowed), ["auto", ["a"]]);
    assert.deepEqual(parseResponses({ ...HELLO, tools }).inputs[0].tools?.[0], {
      type: "function",
      function: { name: "a", parameters: { type: "object" }, strict: true },
    });
  });

  test("sets the same options as chat, by other names", () => {
    const parsed = parseResponses({
      ...HELLO,
      max_output_tokens: 9,
      include: ["message.output_text.logprobs", "reasoning.encrypted_content"],
      top_logprobs: 2,
      text: { format: { type: "json_schema", name: "x", schema: { type: "object" } }, verbosity: "low" },
      reasoning: { effort: "low" },
      store: true,
      temperature: 0.5,
    });
    assert.equal(parsed.maxTokens, 9);
    assert.equal(parsed.logprobs, 3);
    assert.deepEqual(parsed.sampling, { temperature: 0.5, jsonSchema: '{"type":"object"}' });
    assert.equal(parsed.inputs[0].enableThinking, true);
    assert.deepEqual(parsed.inputs[0].templateVariables, { reasoning_effort: "low" });
    assert.equal(parseResponses({ ...HELLO, reasoning: { effort: "none" } }).inputs[0].enableThinking, false);
  });

  const wrong: readonly (readonly [string, object, string, RegExp])[] = [
    ["nothing", {}, "input", /a string or an array of items for input/],
    ["no items", { input: [] }, "input", /an array of 0 elements/],
    ["an item of no kind", { input: [{ role: "boss", content: "x" }] }, "input[0].role", /"boss"/],
    ["a message of nobody", { input: [{ content: "x" }] }, "input[0].role", /a role/],
    ["a message of nothing", { input: [{ role: "user" }] }, "input[0].content", /a value/],
    ["a call without a name", { input: [{ type: "function_call", call_id: "1" }] }, "input[0].name", /a value/],
    [
      "a picture",
      { input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] },
      "input[0].content[0].type",
      /reads text only.*input_image/,
    ],
    ["a reference", { input: [{ type: "item_reference", id: "1" }] }, "input[0].type", /nothing is kept/],
    ["a search", { input: [{ type: "web_search_call" }] }, "input[0].type", /no tool of that kind/],
    ["a built-in tool", { ...HELLO, tools: [{ type: "web_search" }] }, "tools[0].type", /web_search.*a function/],
    ["a nameless tool", { ...HELLO, tools: [{ type: "function" }] }, "tools[0].name", /a name/],
    ["a built-in choice", { ...HELLO, tool_choice: { type: "mcp" } }, "tool_choice.type", /"mcp" is not supported/],
    [
      "a choice that is not there",
      { ...HELLO, tools: [{ type: "function", name: "a" }], tool_choice: { type: "function", name: "b" } },
      "tool_choice.name",
      /not among tools \(a\)/,
    ],
    ["an earlier response", { ...HELLO, previous_response_id: "resp_1" }, "previous_response_id", /nothing is kept/],
    ["a conversation", { ...HELLO, conversation: "conv_1" }, "conversation", /nothing is kept/],
    ["work in the background", { ...HELLO, background: true }, "background", /"stream": true/],
    ["a stored prompt", { ...HELLO, prompt: { id: "p" } }, "prompt", /instructions/],
    ["chat's messages", { ...HELLO, messages: [] }, "messages", /use input/],
    ["chat's format", { ...HELLO, response_format: {} }, "response_format", /text\.format/],
    ["automatic truncation", { ...HELLO, truncation: "auto" }, "truncation", /older items/],
  ];
  for (const [name, body, param, message] of wrong) {
    test(`is refused by name: ${name}`, () => {
      assert.throws(
        () => parseResponses(body),
        (thrown) => {
          assert.ok(thrown instanceof ExoError);
          assert.equal(thrown.param, param);
          assert.match(thrown.message, message);
          assert.match(thrown.message, /\.$/);
          return true;
        },
      );
    });
  }

  test("passes with what clients send without meaning much by it", () => {
    parseResponses({
      ...HELLO,
      background: false,
      truncation: "disabled",
      previous_response_id: null,
      conversation: null,
      service_tier: "auto",
      prompt_cache_key: "k",
      safety_identifier: "s",
      metadata: { a: "b" },
      user: "u",
      max_tool_calls: 3,
      stream_options: { include_obfuscation: true },
    });
  });
});
