import { ascending, quantile } from "../../src/core/statistics.js";
import type { CutModel } from "./cut-model.js";
import { indexOfLargest, klDivergence, logProbabilities, perplexity } from "./divergence.js";

/** The first tokens of a text follow from almost nothing; they are computed and not counted. */
export const UNCOUNTED = 16;

/** What a model thinks at each counted position of a text, and how it likes what comes there. */
export interface Opinion {
  readonly logProbabilities: readonly Float64Array[];
  /** Of the token that the text has next; one fewer than positions, for nothing follows the last. */
  readonly ofText: readonly number[];
}

export interface Score {
  readonly perplexity: number;
  /** Kullback-Leibler divergence from the exact model, nats per token. */
  readonly divergence: { readonly mean: number; readonly p99: number; readonly max: number };
  /** Positions at which the likeliest token is the same: 0 … 1. */
  readonly sameChoice: number;
}

export async function opinionOf(model: CutModel, tokens: readonly number[]): Promise<Opinion> {
  const all: Float64Array[] = [];
  const ofText: number[] = [];
  for await (const { position, logits } of model.logits(tokens)) {
    if (position < UNCOUNTED) continue;
    const logs = logProbabilities(logits);
    all.push(logs);
    const next = tokens[position + 1];
    if (next !== undefined) ofText.push(logs[next] ?? -Infinity);
  }
  return { logProbabilities: all, ofText };
}

/** Both of the same tokens. */
export function scoreOf(exact: Opinion, other: Opinion): Score {
  const pairs = exact.logProbabilities.map((logs, index) => [logs, other.logProbabilities[index] ?? logs] as const);
  const divergences = pairs.map(([a, b]) => klDivergence(a, b));
  const same = pairs.filter(([a, b]) => indexOfLargest(a) === indexOfLargest(b)).length;
  return {
    perplexity: perplexity(other.ofText),
    divergence: {
      mean: divergences.reduce((sum, one) => sum + one, 0) / divergences.length,
      p99: quantile(ascending(divergences), 0.99),
      max: Math.max(...divergences),
    },
    sameChoice: same / pairs.length,
  };
}
