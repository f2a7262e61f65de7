import { writeFileSync } from "node:fs";
import type { RoundResult } from "./round.js";
import type { StreamKind } from "./stream.js";

const KINDS: readonly StreamKind[] = ["whole", "tipped", "error", "refused", "cut", "wrong", "silent", "hung"];

/** One line for one fault. */
export function roundLine(result: RoundResult, at: number, count: number): string {
  const { seed, fault, what, phase, streams, wholeMs } = result;
  const kinds = KINDS.map((kind) => [streams.filter((end) => end.kind === kind).length, kind] as const);
  const ends = kinds.filter(([many]) => many > 0).map(([many, kind]) => `${many} ${kind}`);
  const gap = Math.max(0, ...streams.map(({ longestGapMs }) => longestGapMs));
  const whole = wholeMs === null ? "NOT WHOLE" : `whole after ${seconds(wholeMs)}`;
  const number = `${String(at).padStart(String(count).length)}/${count}`;
  return `${number}  seed ${seed}  ${fault} (${what}) in ${phase}: ${ends.join(", ")}; longest gap ${seconds(gap)}; ${whole}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Markdown: for each kind of fault how its streams ended and how long the cluster took. */
export function summaryTable(results: readonly RoundResult[]): string {
  const names = [...new Set(results.map(({ fault }) => fault))].sort();
  const rows = [...names.map((name) => [name, results.filter(({ fault }) => fault === name)] as const)];
  return [
    `| fault | times | streams | ${KINDS.join(" | ")} | whole again (median, most) | violations |`,
    `| --- | --- | --- | ${KINDS.map(() => "---").join(" | ")} | --- | --- |`,
    ...rows.map(([name, some]) => tableRow(name, some)),
    tableRow("all", results),
  ].join("\n");
}

function tableRow(name: string, results: readonly RoundResult[]): string {
  const streams = results.flatMap((result) => result.streams);
  const kinds = KINDS.map((kind) => streams.filter((end) => end.kind === kind).length);
  const times = results.flatMap(({ wholeMs }) => (wholeMs === null ? [] : [wholeMs])).sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? 0;
  const violations = results.reduce((sum, result) => sum + result.violations.length, 0);
  const whole = `${seconds(median)}, ${seconds(times.at(-1) ?? 0)}`;
  return `| ${[name, results.length, streams.length, ...kinds, whole, violations].join(" | ")} |`;
}

/** The table as Markdown, and everything as JSON beside it. */
export function saveReport(file: string, title: string, results: readonly RoundResult[]): void {
  const base = file.replace(/\.(?:md|json)$/, "");
  writeFileSync(`${base}.md`, `# ${title}\n\n${summaryTable(results)}\n`);
  writeFileSync(`${base}.json`, `${JSON.stringify(results, null, 2)}\n`);
}
