import type { InferenceEvent, TokenLogprob, ToolCallDelta, Usage } from "../../core/inference.js";
import type { ChoiceEvent } from "../generate-choices.js";
import type { Answer, AnswerContext } from "./answer.js";
import { logprobJson } from "./logprob.js";
import { envelope, timingsJson, usageChunk, usageJson } from "./usage.js";

/** The body of a `/v1/chat/completions` answer that is not streamed. */
export function chatCompletion(context: AnswerContext, answers: readonly Answer[]) {
  const first = answers[0];
  return {
    ...envelope(context, "chat.completion"),
    choices: answers.map((answer, index) => ({
      index,
      message: messageJson(answer),
      logprobs: logprobsJson(answer.logprobs),
      finish_reason: answer.reason,
    })),
    usage: usageJson(
      answers.map((answer) => answer.usage),
      context.choicesPerInput,
    ),
    ...(first === undefined ? {} : { timings: timingsJson(first.usage, first.timings) }),
  };
}

/** The chunks of a streamed one: per choice the role, the deltas, the reason it ended; then usage if asked. */
export async function* chatChunks(context: AnswerContext, events: AsyncIterable<ChoiceEvent>) {
  const object = "chat.completion.chunk";
  // OpenAI sends `usage: null` in every chunk of a stream that will end with it.
  const head = { ...envelope(context, object), ...(context.includeUsage ? { usage: null } : {}) };
  const begun = new Set<number>();
  const usages = new Map<number, Usage>();
  for await (const { choice: index, event } of events) {
    if (event.type === "started") continue;
    if (!begun.has(index)) {
      begun.add(index);
      const delta = { role: "assistant", content: "" };
      yield { ...head, choices: [{ index, delta, logprobs: null, finish_reason: null }] };
    }
    if (event.type === "delta") {
      const delta = deltaJson(event);
      const logprobs = logprobsJson(event.logprobs ?? []);
      if (Object.keys(delta).length > 0) yield { ...head, choices: [{ index, delta, logprobs, finish_reason: null }] };
    } else {
      usages.set(index, event.usage);
      const choices = [{ index, delta: {}, logprobs: null, finish_reason: event.reason }];
      yield { ...head, choices, timings: timingsJson(event.usage, event.timings) };
    }
  }
  if (context.includeUsage) yield usageChunk(context, object, inOrder(usages));
}

export function inOrder(usages: ReadonlyMap<number, Usage>): readonly Usage[] {
  return [...usages].sort(([a], [b]) => a - b).map(([, usage]) => usage);
}

function messageJson({ text, reasoning, toolCalls }: Answer) {
  return {
    role: "assistant",
    content: text === "" && toolCalls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  };
}

function deltaJson(event: Extract<InferenceEvent, { type: "delta" }>) {
  const { text, reasoning = "", toolCalls = [], logprobs = [] } = event;
  return {
    ...(text !== "" || logprobs.length > 0 ? { content: text } : {}),
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(toolCallJson) }),
  };
}

function toolCallJson({ index, id, name, arguments: text }: ToolCallDelta) {
  return {
    index,
    ...(id === undefined ? {} : { id, type: "function" }),
    function: { ...(name === undefined ? {} : { name }), ...(text === undefined ? {} : { arguments: text }) },
  };
}

function logprobsJson(tokens: readonly TokenLogprob[]) {
  if (tokens.length === 0) return null;
  return { content: tokens.map(logprobJson), refusal: null };
}
