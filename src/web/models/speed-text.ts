import type { PredictedSpeed } from "../api/planning-documents.js";
import { formatSeconds } from "../app/format.js";

/** A plan's speed in one sentence; `null`: nothing is measured yet. */
export function speedSentence(predicted: PredictedSpeed | null): string {
  if (predicted === null) return "Nothing is measured yet, so this plan goes by memory alone and predicts no speed.";
  const { embeddings, promptTokens, ttftSeconds, decodeTokensPerSecond, aggregateTokensPerSecond } = predicted;
  if (embeddings) {
    return (
      `About ${rateText(decodeTokensPerSecond)} tok/s of texts for embeddings one by one, ` +
      `${rateText(aggregateTokensPerSecond)} tok/s with all slots busy; a text of ${promptTokens} tokens takes ` +
      `${formatSeconds(ttftSeconds * 1000)}.`
    );
  }
  return (
    `About ${rateText(decodeTokensPerSecond)} tok/s for one answer, ${rateText(aggregateTokensPerSecond)} tok/s with all slots ` +
    `busy; the first token of a prompt of ${promptTokens} after ${formatSeconds(ttftSeconds * 1000)}.`
  );
}

export function rateText(tokensPerSecond: number): string {
  return tokensPerSecond < 100 ? tokensPerSecond.toFixed(1) : String(Math.round(tokensPerSecond));
}

/** How much faster or slower one plan is than another, for one answer; empty where that is not known. */
export function comparedWith(own: PredictedSpeed | null, planners: PredictedSpeed | null): string {
  if (own === null || planners === null || planners.decodeTokensPerSecond <= 0) return "";
  const percent = Math.round((own.decodeTokensPerSecond / planners.decodeTokensPerSecond - 1) * 100);
  if (percent === 0) return "As fast as the planner's own choice.";
  return `${Math.abs(percent)} % ${percent > 0 ? "faster" : "slower"} than the planner's own choice.`;
}

const FITS: Readonly<Record<string, string>> = {
  "one-node": "It fits on one machine alone.",
  split: "It fits when it is cut among several machines.",
  no: "It does not fit the machines that are here.",
};

export function fitSentence(fit: string): string {
  return FITS[fit] ?? `Whether it fits is told as "${fit}".`;
}
