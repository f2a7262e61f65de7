import { listAt, numberAt, optionalNumberAt, textAt, textsAt } from "../api/json.js";
import type { Kept } from "../app/kept.js";
import type { BenchNumbers } from "./bench-run.js";

/** A finished measurement, as this browser remembers it. */
export interface BenchResult extends BenchNumbers {
  readonly model: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** In ring order. */
  readonly nodes: readonly string[];
}

const KEY = "exo-native.bench";
const MOST = 30;

/** The latest first. What cannot be read is left out. */
export function readHistory(kept: Kept): readonly BenchResult[] {
  return listAt(kept.readJson(KEY))
    .map(parseResult)
    .filter(({ model, streams }) => model !== "" && streams.length > 0);
}

/** Returns what is remembered now. */
export function remember(kept: Kept, result: BenchResult): readonly BenchResult[] {
  const history = [result, ...readHistory(kept)].slice(0, MOST);
  kept.write(KEY, JSON.stringify(history));
  return history;
}

export function forgetHistory(kept: Kept): void {
  kept.forget(KEY);
}

function parseResult(result: unknown): BenchResult {
  return {
    model: textAt(result, "model"),
    at: numberAt(result, "at"),
    nodes: textsAt(result, "nodes"),
    promptTokens: numberAt(result, "promptTokens"),
    ttftSeconds: numberAt(result, "ttftSeconds"),
    decodeTokensPerSecond: optionalNumberAt(result, "decodeTokensPerSecond"),
    streams: listAt(result, "streams").map((entry) => ({
      streams: numberAt(entry, "streams"),
      tokensPerSecond: numberAt(entry, "tokensPerSecond"),
    })),
  };
}
