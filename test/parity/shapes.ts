import { TINY_EOS } from "../support/tiny-gguf.js";
import type { Differences } from "./compare.js";
import { CALL_TOKEN, type ParityModel } from "./models.js";
import type { ParityPath } from "./outcome.js";

/** A request that both servers answer. */
export interface Shape {
  readonly name: string;
  readonly path: ParityPath;
  readonly model: ParityModel;
  readonly body: Readonly<Record<string, unknown>>;
  /** Where we answer otherwise than llama-server on purpose. */
  readonly except: Differences;
}

/** Greedy, and nothing cached or drafted: what a row is computed with beside it can change its last bits. */
const STEADY = { temperature: 0, cache_prompt: false, speculation: false };

const ONCE = "Once upon a time";
const weather = (more: object = {}) => ({
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { enum: ["Oslo", "Rome", "Lima"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["city", "days"],
    },
    ...more,
  },
});
const clock = {
  type: "function",
  function: {
    name: "clock",
    parameters: { type: "object", properties: { exact: { type: "boolean" } }, required: ["exact"] },
  },
};
const verdict = {
  type: "object",
  properties: { good: { type: "boolean" }, grade: { enum: ["a", "b", "c"] } },
  required: ["good", "grade"],
  additionalProperties: false,
};

const say = (content: unknown) => ({ messages: [{ role: "user", content }] });
const QUESTION = say("What is the capital of France?");
const NO_THINKING = { chat_template_kwargs: { enable_thinking: false } };

const UNKNOWN_TOOLS = "llama-server leaves such tools out; here they are described in the system prompt.";
const TEXT_FIRST =
  "llama-server lets a model write without end before a call that it must make; here the call comes first.";
const CALL_FIRST: Differences = { answer: TEXT_FIRST, finish: TEXT_FIRST, usage: TEXT_FIRST };
const SUMMED = "OpenAI counts the tokens of all choices, llama-server those of the first.";

function shape(
  path: ParityPath,
  model: ParityModel,
  name: string,
  body: Readonly<Record<string, unknown>>,
  except: Differences = {},
): Shape {
  return { name: `${path} ${model}: ${name}`, path, model, body: { ...STEADY, ...body }, except };
}

const text = (name: string, body: object, except?: Differences): Shape =>
  shape("/v1/completions", "plain", name, { max_tokens: 16, ...body }, except);
const chat = (name: string, body: object, except?: Differences): Shape =>
  shape("/v1/chat/completions", "plain", name, { max_tokens: 16, ...body }, except);
const tools = (name: string, body: object, except?: Differences): Shape =>
  shape("/v1/chat/completions", "tools", name, { max_tokens: 16, ...body }, except);
const thinking = (name: string, body: object, except?: Differences): Shape =>
  shape("/v1/chat/completions", "thinking", name, { max_tokens: 16, ...body }, except);
/** A call is begun wherever one may begin, and the answer ends as soon as it may. */
const ONE_CALL = { [CALL_TOKEN]: 50, [TINY_EOS]: 100 };
/** A call is begun wherever one may begin. */
const MANY_CALLS = { [CALL_TOKEN]: 100 };
const caller = (name: string, body: object, except?: Differences): Shape =>
  shape("/v1/chat/completions", "caller", name, { max_tokens: 150, logit_bias: ONE_CALL, ...body }, except);
const response = (name: string, model: ParityModel, body: object, except?: Differences): Shape =>
  shape("/v1/responses", model, name, { max_output_tokens: 16, ...body }, except);

const COMPLETIONS: readonly Shape[] = [
  text("a prompt", { prompt: ONCE }),
  text("one token", { prompt: ONCE, max_tokens: 1 }),
  text("token ids", { prompt: [1, 338, 333, 322, 324, 259, 340] }),
  text("an empty prompt", { prompt: "" }),
  text("another alphabet", { prompt: "Grüße, 世界 🌍" }),
  text("several prompts", { prompt: [ONCE, "The dog ran"] }, { usage: SUMMED }),
  text("two answers", { prompt: ONCE, n: 2 }, { usage: SUMMED }),
  text("a stop string", { prompt: ONCE, stop: ":Z", max_tokens: 40 }),
  text("several stop strings", { prompt: "The dog ran", stop: ["zq", "HL", "##"], max_tokens: 40 }),
  text("a stop string that does not come", { prompt: ONCE, stop: ["never comes"] }),
  text("log-probabilities", { prompt: ONCE, logprobs: 5 }),
  text("the best log-probability", { prompt: "The dog ran", logprobs: 1 }),
  text(
    "log-probabilities up to a stop string",
    { prompt: ONCE, logprobs: 3, stop: ":Z", max_tokens: 40 },
    { logprobs: "llama-server leaves out as many as the stop string has tokens by itself, here one too many." },
  ),
  text("a token that is ruled out", { prompt: ONCE, logit_bias: { 340: -100, 338: -100 } }),
  text("a token that is wanted", { prompt: ONCE, logit_bias: { 300: 100 }, logprobs: 2 }),
  text("a repeat penalty", { prompt: ONCE, repeat_penalty: 1.3, repeat_last_n: 32, max_tokens: 32 }),
  text("a frequency penalty", { prompt: ONCE, frequency_penalty: 1.5, max_tokens: 32 }),
  text("a presence penalty", { prompt: ONCE, presence_penalty: 1.5, max_tokens: 32 }),
  text("penalties with log-probabilities", { prompt: ONCE, presence_penalty: 2, repeat_penalty: 1.1, logprobs: 2 }),
  text("the best of one", { prompt: ONCE, temperature: 1, top_k: 1, seed: 7 }),
  text("few candidates", { prompt: ONCE, top_k: 5, top_p: 0.5, min_p: 0.1 }),
  text("a grammar", { prompt: ONCE, grammar: 'root ::= ("yes" | "no") " " [0-9]{3}' }),
  text("a JSON schema", { prompt: ONCE, json_schema: verdict, max_tokens: 100 }),
  text("no end", { prompt: ONCE, ignore_eos: true, max_tokens: 24 }),
  text("llama-server's name for the limit", { prompt: ONCE, n_predict: 5 }),
  text("as much as the context holds", { prompt: "word ".repeat(405), max_tokens: -1, ignore_eos: true }),
  text("more than the context holds", { prompt: "word ".repeat(500) }),
  text("no prompt", {}),
];

const CHATS: readonly Shape[] = [
  chat("a question", QUESTION),
  chat("a system prompt", { messages: [{ role: "system", content: "Be brief." }, ...QUESTION.messages] }),
  chat("a developer's prompt", { messages: [{ role: "developer", content: "Be brief." }, ...QUESTION.messages] }),
  chat("a conversation", {
    messages: [...QUESTION.messages, { role: "assistant", content: "Paris." }, { role: "user", content: "And Italy?" }],
  }),
  chat(
    "content in parts",
    say([
      { type: "text", text: "One." },
      { type: "text", text: "Two." },
    ]),
  ),
  chat("a limit by OpenAI's new name", { ...QUESTION, max_tokens: null, max_completion_tokens: 9 }),
  chat("a stop string", { ...QUESTION, stop: ["6b"], max_tokens: 40 }),
  chat("log-probabilities", { ...QUESTION, logprobs: true, top_logprobs: 3 }),
  chat(
    "log-probabilities without a number",
    { ...QUESTION, logprobs: true },
    { logprobs: "OpenAI's default is no alternatives, llama-server's 20." },
  ),
  chat("two answers", { ...QUESTION, n: 2 }, { usage: SUMMED }),
  chat("a token that is ruled out", { ...QUESTION, logit_bias: { 340: -100 } }),
  chat("penalties", { ...QUESTION, frequency_penalty: 0.7, presence_penalty: 0.3, max_tokens: 32 }),
  chat("JSON", { ...QUESTION, response_format: { type: "json_object" }, max_tokens: 40 }),
  chat("JSON of a schema", {
    ...QUESTION,
    response_format: { type: "json_schema", json_schema: { name: "verdict", schema: verdict } },
    max_tokens: 100,
  }),
  chat("JSON of llama-server's field", { ...QUESTION, json_schema: verdict, max_tokens: 100 }),
  chat("plain text as the format", { ...QUESTION, response_format: { type: "text" } }),
  chat("a grammar", { ...QUESTION, grammar: 'root ::= "Paris" | "Rome"' }),
  chat("no messages", {}),
  chat("a picture", say([{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }]), {
    status: "What a text model cannot read is the caller's mistake; llama-server calls it its own.",
  }),
  chat(
    "tools that a template does not know",
    { ...QUESTION, tools: [clock], tool_choice: "required", max_tokens: 120 },
    { answer: UNKNOWN_TOOLS, finish: UNKNOWN_TOOLS, usage: UNKNOWN_TOOLS },
  ),
];

const TOOLS: readonly Shape[] = [
  tools("no tools", QUESTION),
  tools(
    "a tool that must be used, cut short",
    { ...QUESTION, tools: [weather()], tool_choice: "required" },
    CALL_FIRST,
  ),
  tools("one of two tools, cut short", { ...QUESTION, tools: [weather(), clock], tool_choice: "required" }, CALL_FIRST),
  tools(
    "one call at a time, cut short",
    { ...QUESTION, tools: [weather(), clock], tool_choice: "required", parallel_tool_calls: false },
    CALL_FIRST,
  ),
  tools(
    "calls beside each other, cut short",
    { ...QUESTION, tools: [clock], tool_choice: "required", parallel_tool_calls: true },
    CALL_FIRST,
  ),
  tools("a tool that may be used and is not", { ...QUESTION, tools: [clock] }),
  tools("tools that must not be used", { ...QUESTION, tools: [clock], tool_choice: "none" }),
  tools(
    "a strict tool, cut short",
    { ...QUESTION, tools: [weather({ strict: true })], tool_choice: "required" },
    CALL_FIRST,
  ),
  tools("the answer of a tool", {
    messages: [
      ...QUESTION.messages,
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "clock", arguments: '{"exact":true}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "noon" },
    ],
    tools: [clock],
  }),
  tools("JSON of a schema", {
    ...QUESTION,
    response_format: { type: "json_schema", json_schema: { name: "verdict", schema: verdict } },
    max_tokens: 100,
  }),
  tools("a variable of the template", { ...QUESTION, chat_template_kwargs: { tone: "kind" } }),
  thinking("thoughts", QUESTION),
  thinking("thoughts that are switched off", { ...QUESTION, ...NO_THINKING }),
  thinking("thoughts that are switched off by effort", { ...QUESTION, reasoning_effort: "none" }),
  thinking(
    "a tool after no thoughts, cut short",
    { ...QUESTION, ...NO_THINKING, tools: [clock], tool_choice: "required" },
    CALL_FIRST,
  ),
];

const ONE = { parallel_tool_calls: false };
const CALLS: readonly Shape[] = [
  caller("a call that must be", { ...QUESTION, ...ONE, tools: [weather()], tool_choice: "required" }),
  caller("a call of one of two", { ...QUESTION, ...ONE, tools: [weather(), clock], tool_choice: "required" }),
  caller("a call that may be", { ...QUESTION, tools: [clock], logit_bias: MANY_CALLS }),
  caller("a strict call", { ...QUESTION, ...ONE, tools: [weather({ strict: true })], tool_choice: "required" }),
  caller("a call that is cut short", {
    ...QUESTION,
    ...ONE,
    tools: [weather()],
    tool_choice: "required",
    max_tokens: 30,
  }),
  caller("a call after another", {
    messages: [
      ...QUESTION.messages,
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "clock", arguments: '{"exact":true}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "noon" },
    ],
    tools: [clock],
    logit_bias: MANY_CALLS,
  }),
  caller("calls beside each other", {
    ...QUESTION,
    tools: [weather(), clock],
    tool_choice: "required",
    parallel_tool_calls: true,
    logit_bias: MANY_CALLS,
  }),
];

const RESPONSES: readonly Shape[] = [
  response("text", "plain", { input: "What is the capital of France?" }),
  response("instructions", "plain", { input: "Hello", instructions: "Be brief." }),
  response("messages", "plain", {
    input: [
      { role: "user", content: "Hello" },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi." }] },
      { role: "user", content: [{ type: "input_text", text: "Again" }] },
    ],
  }),
  response("calls and their answers", "tools", {
    input: [
      { role: "user", content: "What time is it?" },
      { type: "function_call", call_id: "call_1", name: "clock", arguments: '{"exact":true}' },
      { type: "function_call_output", call_id: "call_1", output: "noon" },
    ],
    tools: [{ type: "function", name: "clock", parameters: clock.function.parameters, strict: true }],
  }),
  response(
    "a tool that must be used, cut short",
    "tools",
    {
      input: "What time is it?",
      tools: [{ type: "function", name: "clock", parameters: clock.function.parameters, strict: true }],
      tool_choice: "required",
    },
    CALL_FIRST,
  ),
  response("a call", "caller", {
    input: "What time is it?",
    tools: [{ type: "function", name: "clock", parameters: clock.function.parameters, strict: true }],
    tool_choice: "required",
    ...ONE,
    logit_bias: ONE_CALL,
    max_output_tokens: 150,
  }),
  response("thoughts", "thinking", { input: "Hello" }),
];

export const SHAPES: readonly Shape[] = [...COMPLETIONS, ...CHATS, ...TOOLS, ...CALLS, ...RESPONSES];
