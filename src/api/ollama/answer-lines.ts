import type { InferenceEvent, TokenLogprob } from "../../core/inference.js";
import type { Clock } from "../../core/ports.js";
import type { ChoiceEvent } from "../generate-choices.js";
import { jsonLines } from "../stream-format.js";
import { ollamaError } from "./error.js";
import { type OllamaToolCall, ToolCallGatherer } from "./tool-calls.js";

type Finished = Extract<InferenceEvent, { type: "finished" }>;

/** How every stream of Ollama's is sent. */
export const OLLAMA_STREAM = jsonLines(ollamaError);

/** Some of an answer. */
export interface Piece {
  readonly text: string;
  readonly thinking: string;
  readonly toolCalls: readonly OllamaToolCall[];
  readonly logprobs: readonly TokenLogprob[];
}

/** How a route tells a piece: `/api/chat` as a message, `/api/generate` as a response. */
export type PieceShape = (piece: Piece) => object;

export interface LineContext {
  /** The model's name, as it was asked for. */
  readonly name: string;
  readonly shape: PieceShape;
  readonly clock: Clock;
  /** `clock.monotonic()` when the request came. */
  readonly begun: number;
}

/** A piece, and with the last one the numbers of the whole. */
interface Line {
  readonly piece: Piece;
  readonly end: object | null;
}

const NOTHING: Piece = { text: "", thinking: "", toolCalls: [], logprobs: [] };

export const asMessage: PieceShape = ({ text, thinking, toolCalls }) => ({
  message: {
    role: "assistant",
    content: text,
    ...(thinking === "" ? {} : { thinking }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  },
});

export const asResponse: PieceShape = ({ text, thinking }) => ({
  response: text,
  ...(thinking === "" ? {} : { thinking }),
});

/** The lines of a streamed answer. */
export async function* answerLines(context: LineContext, events: AsyncIterable<ChoiceEvent>) {
  for await (const { piece, end } of lines(context, events)) yield lineJson(context, piece, end);
}

/** The same answer in one document. */
export async function wholeAnswer(context: LineContext, events: AsyncIterable<ChoiceEvent>) {
  const pieces: Piece[] = [];
  let numbers: object | null = null;
  for await (const { piece, end } of lines(context, events)) {
    pieces.push(piece);
    numbers = end;
  }
  return lineJson(context, joined(pieces), numbers);
}

/** The answer to a request that only has a model loaded or unloaded. */
export function emptyAnswer(context: LineContext, reason: "load" | "unload") {
  return lineJson(context, NOTHING, { done_reason: reason });
}

async function* lines(context: LineContext, events: AsyncIterable<ChoiceEvent>): AsyncGenerator<Line, void> {
  const calls = new ToolCallGatherer();
  let startedAt = context.begun;
  for await (const { event } of events) {
    if (event.type === "started") {
      startedAt = context.clock.monotonic();
    } else if (event.type === "delta") {
      const { text, reasoning: thinking = "", toolCalls = [], logprobs = [] } = event;
      const piece = { text, thinking, toolCalls: calls.push(toolCalls), logprobs };
      if (!isEmpty(piece)) yield { piece, end: null };
    } else {
      const toolCalls = calls.finish();
      if (toolCalls.length > 0) yield { piece: { ...NOTHING, toolCalls }, end: null };
      yield { piece: NOTHING, end: endJson(context, event, startedAt) };
    }
  }
}

function isEmpty({ text, thinking, toolCalls, logprobs }: Piece): boolean {
  return text === "" && thinking === "" && toolCalls.length === 0 && logprobs.length === 0;
}

function joined(pieces: readonly Piece[]): Piece {
  return {
    text: pieces.map(({ text }) => text).join(""),
    thinking: pieces.map(({ thinking }) => thinking).join(""),
    toolCalls: pieces.flatMap(({ toolCalls }) => toolCalls),
    logprobs: pieces.flatMap(({ logprobs }) => logprobs),
  };
}

function lineJson({ name, shape, clock }: LineContext, piece: Piece, end: object | null) {
  return {
    model: name,
    created_at: new Date(clock.wall()).toISOString(),
    ...shape(piece),
    ...(piece.logprobs.length === 0 ? {} : { logprobs: piece.logprobs.map(logprobJson) }),
    done: end !== null,
    ...end,
  };
}

function logprobJson({ top, ...chosen }: TokenLogprob) {
  return { ...tokenJson(chosen), top_logprobs: top.map(tokenJson) };
}

function tokenJson({ text, bytes, logprob }: Omit<TokenLogprob, "top">) {
  return { token: text, logprob, bytes };
}

/** Durations are nanoseconds. What is neither queue nor computing before the first token was spent on loading. */
function endJson({ clock, begun }: LineContext, { reason, usage, timings }: Finished, startedAt: number) {
  const loadSeconds = Math.max(0, (startedAt - begun) / 1000 - timings.queueSeconds);
  return {
    // Ollama has no reason of its own for calls of tools.
    done_reason: reason === "length" ? "length" : "stop",
    total_duration: nanoseconds((clock.monotonic() - begun) / 1000),
    load_duration: nanoseconds(loadSeconds),
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: nanoseconds(timings.prefillSeconds),
    eval_count: usage.completionTokens,
    eval_duration: nanoseconds(timings.decodeSeconds),
  };
}

export function nanoseconds(seconds: number): number {
  return Math.round(seconds * 1e9);
}
