import { ExoError } from "../core/errors.js";
import type { Resumption } from "../core/inference.js";

/** What a peer may have gone through before anything is known to be right. */
const MOST_TOKENS = 512 * 1024;

/**
 * A peer says what an answer had been given: throws `invalid_argument` where that can be no answer of this model.
 *
 * @param maxTokens that the request allows; `null`: it does not say
 */
export function checkResumption(
  { tokens, held = [] }: Resumption,
  vocabularySize: number,
  maxTokens: number | null,
): void {
  const most = Math.min(maxTokens ?? MOST_TOKENS, MOST_TOKENS);
  if (tokens.length > most) {
    throw wrong(`An answer of at most ${most} tokens cannot go on behind ${tokens.length}.`);
  }
  if (held.length > tokens.length) {
    throw wrong(`Of ${tokens.length} tokens, ${held.length} log-probabilities cannot be left to tell.`);
  }
  const unknown = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize);
  if (unknown === undefined) return;
  throw wrong(`Expected token ids from 0 to ${vocabularySize - 1} of an answer to go on with, received ${unknown}.`);
}

function wrong(message: string): ExoError {
  return new ExoError("invalid_argument", message, { param: "resume" });
}
