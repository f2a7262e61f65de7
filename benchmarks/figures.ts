/** What one measurement found, by the figure's name. */
export type Figures = Readonly<Record<string, number>>;

export interface FigureKind {
  /** Heading of a column. */
  readonly label: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly digits: number;
}

const speed = { unit: "tok/s", better: "higher", digits: 1 } as const;
const milliseconds = { unit: "ms", better: "lower", digits: 1 } as const;
const ratio = { unit: "×", better: "lower", digits: 2 } as const;

/** Every figure that a measurement may give. */
export const FIGURES = {
  prefill: { label: "prefill", ...speed },
  decode: { label: "decode", ...speed },
  ttft_cold: { label: "TTFT, nothing cached", ...milliseconds },
  ttft_shared: { label: "TTFT, prefix cached", ...milliseconds },
  shared_over_cold: { label: "cached over cold", ...ratio, digits: 3 },
  ttft_alone: { label: "TTFT alone", ...milliseconds },
  ttft_busy: { label: "TTFT beside a long prompt", ...milliseconds },
  ttft_p50: { label: "TTFT p50", ...milliseconds },
  ttft_p95: { label: "TTFT p95", ...milliseconds },
  ttft_p99: { label: "TTFT p99", ...milliseconds },
  stage_fastest: { label: "mean micro-batch, fastest stage", ...milliseconds },
  stage_slowest: { label: "mean micro-batch, slowest stage", ...milliseconds },
  micro_batch: { label: "micro-batch, slowest stage", ...milliseconds },
  micro_batches_later: { label: "micro-batches later than alone", unit: "", better: "lower", digits: 2 },
  inter_token_p50: { label: "inter-token p50", ...milliseconds },
  inter_token_p95: { label: "inter-token p95", ...milliseconds },
  inter_token_p99: { label: "inter-token p99", ...milliseconds },
  prefill_time: { label: "prefill", ...milliseconds },
  ideal_time: { label: "ideal (M + N − 1)·T", ...milliseconds },
  over_ideal: { label: "over the ideal", ...ratio, digits: 3 },
  chunks: { label: "chunks M", unit: "", better: "lower", digits: 0 },
  hop_p50: { label: "hop p50", ...milliseconds, digits: 3 },
  hop_p99: { label: "hop p99", ...milliseconds, digits: 3 },
  wire_bytes: { label: "bytes per token and hop", unit: "B", better: "lower", digits: 0 },
  copies: { label: "copies per frame and hop", unit: "", better: "lower", digits: 2 },
  accepted_drafts: { label: "drafted tokens in 100 of the answer", unit: "", better: "higher", digits: 0 },
  rejected_drafts: { label: "drafted for nothing, per 100", unit: "", better: "lower", digits: 0 },
  detected_after: { label: "loss known after", ...milliseconds, digits: 0 },
  resumed_after: { label: "answer goes on after", ...milliseconds, digits: 0 },
  resumed_beyond_loading: { label: "answer goes on after, beyond loading and prompt", ...milliseconds, digits: 0 },
  weights_over_plan: { label: "weights over plan, worst node", ...ratio, digits: 3 },
  file_pages_over_plan: { label: "resident pages of the file over plan", ...ratio, digits: 3 },
} as const satisfies Record<string, FigureKind>;

export type FigureName = keyof typeof FIGURES;

export function isFigureName(name: string): name is FigureName {
  return Object.hasOwn(FIGURES, name);
}

export function formatFigure(name: FigureName, value: number): string {
  const { unit, digits } = FIGURES[name];
  return unit === "×" ? `×${value.toFixed(digits)}` : `${value.toFixed(digits)} ${unit}`.trimEnd();
}
