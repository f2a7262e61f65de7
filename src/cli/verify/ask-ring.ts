import { ExoError } from "../../core/errors.js";
import type { PromptMaker } from "../bench/prompt-maker.js";
import type { AnswerToken } from "../node-client/chat-stream.js";
import type { NodeClient } from "../node-client/node-client.js";

/** One greedy answer of the ring, with the log-probability of each token. */
export interface RingAnswer {
  /** How it was asked for. */
  readonly way: Way;
  readonly label: string;
  readonly prompt: readonly number[];
  readonly tokens: readonly AnswerToken[];
  /** Tokens of the prompt that were not computed anew. */
  readonly cachedTokens: number;
}

/** By itself, by itself over what the cache holds of its prompt, or together with others. */
export type Way = "alone" | "from the cache" | "all at once";

export interface RingQuestions {
  readonly client: Pick<NodeClient, "complete">;
  readonly prompts: Pick<PromptMaker, "make">;
  readonly model: string;
  readonly contextSize: number;
  readonly slots: number;
  readonly signal: AbortSignal;
}

/** One and several chunks, within 256 positions and beyond, see `mustBeExact`. */
const PROMPT_SIZES = [8, 64, 200, 1024];
const ANSWER_TOKENS = 32;

/** Tokens of context that the longest question with its answer takes. */
export function longestQuestion(contextSize: number): number {
  return Math.max(...promptSizes(contextSize)) + answerTokens(contextSize);
}

function answerTokens(contextSize: number): number {
  return Math.max(1, Math.min(ANSWER_TOKENS, Math.floor(contextSize / 2)));
}

function promptSizes(contextSize: number): readonly number[] {
  const room = contextSize - answerTokens(contextSize);
  const sizes = PROMPT_SIZES.filter((tokens) => tokens <= room);
  return sizes.length === 0 ? [room] : sizes;
}

/**
 * Answers to short and long prompts in the ways in which a ring computes: alone, the longest once more over its cached
 * prefix, and, where there are slots for it, all at once, when they share micro-batches. Groups of answers as they come.
 */
export async function* askRing(questions: RingQuestions): AsyncGenerator<readonly RingAnswer[], void, void> {
  const { prompts, contextSize, slots, signal } = questions;
  const made: (readonly number[])[] = [];
  for (const tokens of promptSizes(contextSize)) {
    const prompt = await prompts.make(tokens, signal);
    made.push(prompt);
    yield [await ask(questions, prompt, "alone")];
  }
  const longest = made.at(-1) ?? [];
  yield [await ask(questions, longest, "from the cache")];
  if (slots > 1) yield await Promise.all(made.map((prompt) => ask(questions, prompt, "all at once")));
}

async function ask(
  { client, model, contextSize, signal }: RingQuestions,
  prompt: readonly number[],
  way: Way,
): Promise<RingAnswer> {
  const fields = {
    temperature: 0,
    logprobs: 0,
    cache_prompt: way === "from the cache",
    max_tokens: answerTokens(contextSize),
    // Drafts make batches of other sizes; alone is one token after the other, the other ways are as the ring does it.
    ...(way === "alone" && { speculation: false }),
  };
  const tokens: AnswerToken[] = [];
  let cachedTokens = 0;
  for await (const piece of client.complete({ ...fields, model, prompt }, signal)) {
    if (piece.type === "text") tokens.push(...(piece.tokens ?? []));
    if (piece.type === "end") cachedTokens = piece.numbers?.cachedTokens ?? 0;
  }
  const label = `${prompt.length} tokens, ${way}`;
  if (tokens.length > 0) return { way, label, prompt, tokens, cachedTokens };
  throw new ExoError("peer_incompatible", `The answer to a prompt of ${label}, told no log-probabilities.`);
}
