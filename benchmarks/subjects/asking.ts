import type { Drafted, RingClient, Streamed, Timings } from "./ring-client.js";

/** Greedy, to the full length, and nothing of the prompt taken from a cache. */
export const PLAIN = { temperature: 0, ignore_eos: true, cache_prompt: false } as const;

export interface Question {
  /** Tokens, or text of which the ring makes some. */
  readonly prompt: readonly number[] | string;
  /** To answer. */
  readonly tokens: number;
  /** Of the prompt, how many at least the ring is to find in its cache; default: it is not to look there. */
  readonly cached?: number;
}

/** A ring, as far as it is asked. */
interface Asked<How extends "complete" | "stream"> {
  readonly client: Pick<RingClient, How>;
}

/** Asks, and makes sure that the ring computed what the question says: other counts would give speeds of something else. */
export async function ask({ client }: Asked<"complete">, question: Question): Promise<Timings & Drafted> {
  const answered = await client.complete(bodyOf(question));
  checkCounts(question, answered);
  return answered;
}

/** The same, as a streaming client sees it. */
export async function askStreaming({ client }: Asked<"stream">, question: Question): Promise<Streamed> {
  const streamed = await client.stream(bodyOf(question));
  checkCounts(question, streamed.timings);
  return streamed;
}

function bodyOf({ prompt, tokens, cached }: Question): object {
  return { ...PLAIN, cache_prompt: cached !== undefined, prompt, max_tokens: tokens };
}

function checkCounts({ prompt, tokens, cached }: Question, { prompt_n, predicted_n }: Timings): void {
  if (predicted_n !== tokens) throw new Error(`the ring answered ${predicted_n} tokens where ${tokens} are counted`);
  if (typeof prompt === "string") return;
  const left = prompt.length - (cached ?? 0);
  // A token more than the cache was to know may be the same by chance.
  if (cached === undefined ? prompt_n === left : prompt_n <= left) return;
  throw new Error(`the ring computed ${prompt_n} tokens of the prompt where ${left} are counted`);
}
