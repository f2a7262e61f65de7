import type { AnswerToken } from "../node-client/chat-stream.js";

/** What the whole model says at one place of an answer. Natural logarithms of probabilities. */
export interface ReferenceRow {
  /** Of the token that the ring chose. */
  readonly logprob: number;
  readonly bestToken: number;
  readonly bestLogprob: number;
}

/** An answer of the ring beside what one node would have said at each of its places, given the tokens before it. */
export interface AnswerComparison {
  readonly tokens: number;
  /** Places where one node would have chosen another token. */
  readonly differentTokens: number;
  /** Of the log-probability of the ring's token, over all places; infinite where either has none. */
  readonly meanDifference: number;
  readonly largestDifference: number;
  readonly firstDifference: TokenDifference | null;
  /** The most by which one node prefers its token to the ring's. */
  readonly largestGap: number;
}

export interface TokenDifference {
  /** 0: the first token of the answer. */
  readonly at: number;
  readonly ringToken: number;
  readonly referenceToken: number;
  /** How much more likely one node finds its own token, as a difference of log-probabilities. */
  readonly gap: number;
}

/**
 * Both see the same tokens before each place, so one close choice that tips the other way does not make all that follow
 * it differ. Kernels add up in another order in batches of another size: equal means equal within a tolerance.
 */
export function compareAnswer(ring: readonly AnswerToken[], reference: readonly ReferenceRow[]): AnswerComparison {
  const places = ring.flatMap((token, at) => {
    const row = reference[at];
    return row === undefined ? [] : [{ token, row, at }];
  });
  const others = places.filter(({ token, row }) => token.id !== row.bestToken);
  const [first] = others;
  const differences = places.map(({ token, row }) => distance(token.logprob, row.logprob));
  return {
    tokens: places.length,
    differentTokens: others.length,
    meanDifference: differences.reduce((sum, one) => sum + one, 0) / Math.max(1, places.length),
    largestDifference: Math.max(0, ...differences),
    largestGap: Math.max(0, ...others.map(({ row }) => distance(row.bestLogprob, row.logprob))),
    firstDifference:
      first === undefined
        ? null
        : {
            at: first.at,
            ringToken: first.token.id,
            referenceToken: first.row.bestToken,
            gap: first.row.bestLogprob - first.row.logprob,
          },
  };
}

/** Rounding is seldom alike at all places: a single one may be off by so many times the mean that passes. */
export const MOST_OVER_MEAN = 4;

/** Whether the ring computes something else than one node, and not only in another order. */
export function isMismatch(comparison: AnswerComparison, tolerance: number): boolean {
  const { meanDifference, largestDifference, largestGap } = comparison;
  return meanDifference > tolerance || Math.max(largestDifference, largestGap) > MOST_OVER_MEAN * tolerance;
}

/** A NaN counts as infinitely far. */
function distance(a: number, b: number): number {
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/** One row of logits, as seen from the token that was chosen. */
export function referenceRow(logits: Float32Array, chosen: number): ReferenceRow {
  let bestToken = 0;
  let best = Number.NEGATIVE_INFINITY;
  logits.forEach((value, token) => {
    if (value > best) [best, bestToken] = [value, token];
  });
  const sum = logits.reduce((total, value) => total + Math.exp(value - best), 0);
  const bestLogprob = -Math.log(sum);
  return { bestToken, bestLogprob, logprob: bestLogprob + (logits[chosen] ?? Number.NaN) - best };
}
