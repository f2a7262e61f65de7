import { at, listAt, numberAt, optionalNumberAt, optionalTextAt, textAt } from "./json.js";
import { eventError } from "./server-error.js";

/** A piece of a tool call; those with one index belong together. */
export interface ToolCallPiece {
  readonly index: number;
  readonly id: string | null;
  readonly name: string | null;
  readonly arguments: string;
}

export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Of the prompt's, those found in a KV cache. */
  readonly cachedTokens: number;
}

export type ChatEvent =
  /** The node began; its log and its traces know the request by this. */
  | { readonly kind: "accepted"; readonly requestId: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reasoning"; readonly text: string }
  | { readonly kind: "tool-call"; readonly piece: ToolCallPiece }
  /** The node's own measure of the answer; `null` where it says none. */
  | {
      readonly kind: "finished";
      readonly reason: string;
      readonly tokens: number | null;
      readonly tokensPerSecond: number | null;
    }
  | { readonly kind: "usage"; readonly usage: AnswerUsage };

/** What one chunk of a streamed answer says; throws a `ServerError` when it says that the answer failed. */
export function* chatEvents(chunk: unknown): Generator<ChatEvent, void> {
  if (at(chunk, "error") !== undefined) throw eventError(chunk);
  const delta = at(chunk, "choices", 0, "delta");
  const reasoning = textAt(delta, "reasoning_content");
  if (reasoning !== "") yield { kind: "reasoning", text: reasoning };
  const text = textAt(delta, "content");
  if (text !== "") yield { kind: "text", text };
  for (const call of listAt(delta, "tool_calls")) yield { kind: "tool-call", piece: toolCallPiece(call) };
  const reason = textAt(chunk, "choices", 0, "finish_reason");
  if (reason !== "") yield finished(chunk, reason);
  if (optionalNumberAt(chunk, "usage", "prompt_tokens") !== null) yield { kind: "usage", usage: usageOf(chunk) };
}

function toolCallPiece(call: unknown): ToolCallPiece {
  return {
    index: numberAt(call, "index"),
    id: optionalTextAt(call, "id"),
    name: optionalTextAt(call, "function", "name"),
    arguments: textAt(call, "function", "arguments"),
  };
}

function finished(chunk: unknown, reason: string): ChatEvent {
  return {
    kind: "finished",
    reason,
    tokens: positive(optionalNumberAt(chunk, "timings", "predicted_n")),
    tokensPerSecond: positive(optionalNumberAt(chunk, "timings", "predicted_per_second")),
  };
}

function usageOf(chunk: unknown): AnswerUsage {
  return {
    promptTokens: numberAt(chunk, "usage", "prompt_tokens"),
    completionTokens: numberAt(chunk, "usage", "completion_tokens"),
    cachedTokens: numberAt(chunk, "usage", "prompt_tokens_details", "cached_tokens"),
  };
}

function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}
