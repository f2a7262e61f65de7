import type { ScenarioResult } from "./scenario.js";

/** One line of a sweep: a number of nodes, or a link, and what came out. */
export interface SweepRow {
  readonly nodes: number;
  readonly link: string;
  readonly result: ScenarioResult;
}

export interface Sweep {
  readonly model: string;
  readonly devices: string;
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly ubatch: number;
  readonly rows: readonly SweepRow[];
}

type Cells = readonly string[];

function heading(sweep: Sweep): Cells {
  const streams = sweep.rows[0]?.result.streams ?? [];
  return [
    "nodes",
    "link",
    "first token",
    "prefill",
    "(RPC)",
    "decode",
    "(RPC)",
    ...streams.flatMap(({ streams: count }) => [`× ${count}`, "(RPC)"]),
    "busy",
    "",
  ];
}

function cells({ nodes, link, result }: SweepRow): Cells {
  const { prefill, decode, streams, lockStep, fits } = result;
  const last = streams.at(-1) ?? decode;
  return [
    String(nodes),
    link,
    seconds(prefill.firstSeconds),
    speed(prefill.tokensPerSecond),
    speed(lockStep.prefill),
    speed(decode.tokensPerSecond),
    speed(lockStep.decode),
    ...streams.flatMap((one) => [speed(one.tokensPerSecond), speed(one.lockStep)]),
    percentages(last.utilisation),
    fits ? "" : "too little memory",
  ];
}

/** For a terminal. */
export function sweepTable(sweep: Sweep): string {
  const lines = [heading(sweep), ...sweep.rows.map(cells)];
  const widths = heading(sweep).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padStart(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [title(sweep), ...text, "", LEGEND].join("\n");
}

/** The same with a chart, which GitHub draws. */
export function sweepMarkdown(sweep: Sweep): string {
  const head = heading(sweep);
  const row = (line: Cells): string => `| ${line.join(" | ")} |`;
  return [
    `## ${title(sweep)}`,
    "",
    row(head),
    `|${head.map(() => "---:|").join("")}`,
    ...sweep.rows.map((one) => row(cells(one))),
    "",
    ...chart(sweep),
    "",
    LEGEND,
  ].join("\n");
}

const LEGEND =
  "Tokens per second; × k: k streams together; busy: the least and most that a stage computes under the last load; RPC: " +
  "llama.cpp's RPC servers on the same nodes, by formula.";

function title({ model, devices, promptTokens, answerTokens, ubatch }: Sweep): string {
  return `${model} on ${devices}: prompt ${promptTokens}, answer ${answerTokens}, chunks up to ${ubatch}`;
}

/** One series of bars for the ring, one line for RPC, over the rows. */
function chart({ rows }: Sweep): string[] {
  const last = rows[0]?.result.streams.at(-1)?.streams ?? 1;
  const ring = rows.map(({ result }) => result.streams.at(-1)?.tokensPerSecond ?? result.decode.tokensPerSecond);
  const rpc = rows.map(({ result }) => result.streams.at(-1)?.lockStep ?? result.lockStep.decode);
  const labels = rows.map(({ nodes, link }) => JSON.stringify(`${nodes} ${link}`));
  return [
    "```mermaid",
    "xychart-beta",
    `  title "Decode, ${last} streams together: bars the ring, line RPC (tokens/s)"`,
    `  x-axis [${labels.join(", ")}]`,
    `  y-axis "tokens/s" 0 --> ${Math.ceil(Math.max(1, ...ring, ...rpc) * 1.1)}`,
    `  bar [${ring.map(rounded).join(", ")}]`,
    `  line [${rpc.map(rounded).join(", ")}]`,
    "```",
  ];
}

function rounded(value: number): string {
  return value.toFixed(2);
}

function percentages(parts: readonly number[]): string {
  const [least, most] = [Math.min(...parts), Math.max(...parts)].map((part) => Math.round(part * 100));
  return least === most ? `${most} %` : `${least}-${most} %`;
}

export function speed(tokensPerSecond: number): string {
  return tokensPerSecond.toFixed(tokensPerSecond < 10 ? 2 : tokensPerSecond < 1000 ? 1 : 0);
}

export function seconds(value: number): string {
  return value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(value < 10 ? 2 : 1)} s`;
}
