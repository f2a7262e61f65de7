import type { RingSpeed } from "../api/cluster-document.js";
import type { BenchResult } from "./bench-history.js";

/** Of which run a bar is. */
export type BarKind = "now" | "before" | "predicted";

export interface ChartRow {
  readonly label: string;
  /** Without those that are not known. */
  readonly bars: readonly { readonly kind: BarKind; readonly value: number }[];
}

/** How many tokens come per second, beside an earlier measurement and the planner's word. */
export function rateRows(
  now: BenchResult,
  before: BenchResult | null,
  predicted: RingSpeed | null,
): readonly ChartRow[] {
  const decode = row("one answer, from its first token on", [
    ["now", now.decodeTokensPerSecond],
    ["before", before?.decodeTokensPerSecond ?? null],
    ["predicted", predicted?.decodeTokensPerSecond ?? null],
  ]);
  const streams = now.streams.map(({ streams: count, tokensPerSecond }) => {
    const earlier = before?.streams.find((entry) => entry.streams === count)?.tokensPerSecond ?? null;
    const label = count === 1 ? "one answer, prompt included" : `${count} answers at once, prompts included`;
    return row(label, [
      ["now", tokensPerSecond],
      ["before", earlier],
    ]);
  });
  return [decode, ...streams].filter(({ bars }) => bars.length > 0);
}

/** The first token; a prediction is of a prompt of 512 tokens and says nothing about another one. */
export function firstTokenRows(
  now: BenchResult,
  before: BenchResult | null,
  predicted: RingSpeed | null,
): readonly ChartRow[] {
  const alike = before?.promptTokens === now.promptTokens ? before.ttftSeconds : null;
  return [
    row(`a prompt of ${now.promptTokens} tokens`, [
      ["now", now.ttftSeconds],
      ["before", alike],
      ["predicted", now.promptTokens === 512 ? (predicted?.ttftSeconds ?? null) : null],
    ]),
  ];
}

function row(label: string, values: readonly (readonly [BarKind, number | null])[]): ChartRow {
  return { label, bars: values.flatMap(([kind, value]) => (value === null ? [] : [{ kind, value }])) };
}
