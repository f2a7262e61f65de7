import { formatByteSize } from "../../config/byte-size.js";
import { type Alignment, inColumns, shortened, wrapped } from "../terminal/columns.js";
import type { Paint } from "../terminal/paint.js";
import type { BenchReport } from "./bench-report.js";
import type { MeasuredSpread } from "./spread.js";

const LONGEST_NAME = 24;
const NUMBERS: readonly Alignment[] = ["left", "right", "right", "left"];

/** The report as `exo-native bench` prints it, in lines of fewer than `width` columns. */
export function benchTable(report: BenchReport, width: number, paint: Paint): string {
  const sections = [
    [paint("bold", heading(report)), ...stageLines(report)],
    promptLines(report),
    answerLines(report),
    streamLines(report),
    notes(report).flatMap((note) => wrapped(note, width - 1)),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function heading({ model, stages, url, context_size, slots }: BenchReport): string {
  const nodes = `${stages.length} ${stages.length === 1 ? "node" : "nodes"}`;
  return `${model} on ${nodes}, ${url}; ${slots} ${slots === 1 ? "slot" : "slots"} of ${context_size} tokens`;
}

function stageLines({ stages, hop_seconds }: BenchReport): string[] {
  const hop =
    hop_seconds === null ? [] : [`  a hop costs ${seconds(hop_seconds.p50)} (p50), ${seconds(hop_seconds.p99)} (p99)`];
  return [...inColumns(stages.map(stageRow), ["left", "right", "right", "right", "right"]), ...hop];
}

function stageRow(stage: BenchReport["stages"][number]) {
  const { node, layer_begin, layer_end, has_output, weight_bytes, compute_share, busy } = stage;
  return [
    `  ${shortened(node, LONGEST_NAME)}${has_output ? " (head)" : ""}`,
    `layers [${layer_begin}, ${layer_end})`,
    formatByteSize(weight_bytes),
    ...(compute_share === null ? [] : [`${percent(compute_share)} of computing`]),
    ...(busy === null ? [] : [`busy ${percent(busy)}`]),
  ];
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function promptLines({ prompt }: BenchReport): string[] {
  if (prompt.length === 0) return [];
  const rows = prompt.map(({ tokens, tokens_per_second, first_token_seconds }) => [
    `  ${tokens} tokens`,
    speed(tokens_per_second.median),
    seconds(first_token_seconds.median),
    range(tokens_per_second),
  ]);
  return inColumns([["Prompt", "tokens/s", "first token", ""], ...rows], NUMBERS);
}

function answerLines({ decode, repeated_prompt }: BenchReport): string[] {
  const lines: string[] = [];
  if (decode !== null) {
    lines.push(
      `Answer: ${speed(decode.tokens_per_second.median)} tokens/s ${range(decode.tokens_per_second)}`.trimEnd(),
    );
    const between = decode.inter_token_seconds;
    if (between !== null) {
      const { p50, p95, p99 } = between;
      lines.push(`  between tokens: ${seconds(p50)} (p50), ${seconds(p95)} (p95), ${seconds(p99)} (p99)`);
    }
  }
  if (repeated_prompt !== null) {
    const { tokens, cached_tokens, cold_seconds, warm_seconds } = repeated_prompt;
    lines.push(
      `First token of a prompt of ${tokens}: ${seconds(cold_seconds.median)} cold, ${seconds(warm_seconds.median)} ` +
        `repeated (${cached_tokens} cached)`,
    );
  }
  return lines;
}

function streamLines({ streams }: BenchReport): string[] {
  if (streams.length === 0) return [];
  const rows = streams.map(({ streams: count, tokens_per_second }) => [
    `  ${count}`,
    speed(tokens_per_second.median),
    speed(tokens_per_second.median / count),
    range(tokens_per_second),
  ]);
  return inColumns([["Answers at once", "tokens/s together", "each", ""], ...rows], NUMBERS);
}

function notes({ seconds: total, left_out, other_requests }: BenchReport): string[] {
  return [
    `Medians, (lowest to highest) where measured more than once; answers at once by the wall clock, their prompts ` +
      `included. It took ${Math.round(total)} s.`,
    ...(left_out.length === 0 ? [] : [`Not measured: ${left_out.join(", ")}. Give more time with --duration.`]),
    ...(other_requests === 0
      ? []
      : [`The ring was answering ${other_requests} other requests, so it can do better than this.`]),
  ];
}

function range({ min, max, samples }: MeasuredSpread): string {
  return samples.length < 2 ? "" : `(${speed(min)} to ${speed(max)})`;
}

function speed(tokensPerSecond: number): string {
  return tokensPerSecond.toFixed(tokensPerSecond < 10 ? 2 : 1);
}

/** Milliseconds below one second. */
function seconds(value: number): string {
  return value < 1 ? `${(value * 1000).toFixed(value < 0.01 ? 2 : 1)} ms` : `${value.toFixed(2)} s`;
}
