import { type Comparison, EQUAL } from "./matrix.js";

/** All comparisons of one generated model, of both depths. */
export interface ModelResult {
  readonly name: string;
  /** Written by llama.cpp's test, or beyond it. */
  readonly isExtra: boolean;
  readonly comparisons: readonly Comparison[];
}

export interface Summary {
  readonly equal: number;
  readonly refused: number;
  /** Different, failed or crashed: never acceptable. */
  readonly wrong: readonly string[];
  readonly total: number;
}

type Verdict = "equal" | "refused" | "wrong";

export function verdictOf(result: ModelResult): Verdict {
  const outcomes = new Set(result.comparisons.map((one) => one.outcome));
  if (outcomes.has("different") || outcomes.has("failed") || outcomes.has("crash")) return "wrong";
  return outcomes.has("refused") ? "refused" : "equal";
}

export function summarize(results: readonly ModelResult[]): Summary {
  const verdicts = results.map(verdictOf);
  return {
    equal: verdicts.filter((verdict) => verdict === "equal").length,
    refused: verdicts.filter((verdict) => verdict === "refused").length,
    wrong: results.filter((result) => verdictOf(result) === "wrong").map((result) => result.name),
    total: results.length,
  };
}

interface Column {
  readonly title: string;
  readonly matches: (one: Comparison) => boolean;
}

const isSingle = (one: Comparison): boolean => one.program === "one sequence";

const COLUMNS: readonly Column[] = [
  { title: "whole", matches: (one) => one.cut === "whole" },
  { title: "2 stages", matches: (one) => isSingle(one) && one.cut === "2" },
  { title: "3 stages", matches: (one) => isSingle(one) && one.cut === "3" },
  { title: "a stage per layer", matches: (one) => isSingle(one) && one.cut.startsWith("layers") },
  { title: "head's way back", matches: (one) => isSingle(one) && one.cut.includes("+head") },
  { title: "several sequences", matches: (one) => one.program === "several sequences" && one.cut !== "whole" },
];

/** The page docs/architectures.md. */
export function renderReport(results: readonly ModelResult[], release: string): string {
  const sorted = [...results].sort((a, b) => (a.name < b.name ? -1 : 1));
  const models = sorted.filter((result) => !result.isExtra);
  const { equal, refused, wrong, total } = summarize(models);
  return [
    "# Architectures",
    "",
    "Written by `npm run test:archs`; do not edit.",
    "",
    `llama.cpp's own test (\`test-llama-archs\`, release ${release}) writes a small random model of every architecture it can,`,
    `${total} in all. Each is run whole with the untouched libraries, and cut with ours: as it is (mostly two layers, where`,
    "three stages are two), and again with six layers. A number is the worst normalized mean squared error of the logits",
    `over prefill and decode; below ${EQUAL.toExponential(0)} counts as equal, and 0 is bit for bit.`,
    "",
    `**${equal} equal, ${refused} refused by name, ${wrong.length} wrong.**`,
    "",
    "- _head's way back_: the last layers give hidden states to a stage that is only the output head, as in a ring.",
    "- _several sequences_: three sequences of unlike lengths in one batch, some rows wanted; the worst of all cuts.",
    "- An architecture in neither table is refused when it is to be cut; whole it runs as in llama.cpp.",
    "",
    ...renderTable(models),
    ...renderRefusals(models),
    "",
    "Beyond llama.cpp's test, with six layers:",
    "",
    ...renderTable(sorted.filter((result) => result.isExtra)),
    "",
    ...EMBEDDING_MODELS,
    "",
  ].join("\n");
}

/** They have a test of their own: their results are no logits. */
const EMBEDDING_MODELS = [
  "## Embedding models",
  "",
  "`bert`, `nomic-bert`, `nomic-bert-moe`, `jina-bert-v2`, `jina-bert-v3`, `modern-bert`, `neo-bert`, `eurobert`, `gemma-embedding` (with its",
  "dense layers) and `llama-embed` give no logits, so llama.cpp's test leaves them out. `test/native/embeddings.test.ts` writes a small",
  "random model of each and compares the hidden states after the final norm, whole and cut at every layer, bit for bit; one text alone",
  "and among others; `test/integration/embeddings.test.ts` compares embeddings with llama.cpp's own pooling. `t5encoder` can be",
  "neither cut nor asked for embeddings. Language models for embeddings (`qwen3`, `qwen2`, `gemma3`, `llama`, …) are in the table above.",
];

/** Columns are padded to one width, as the formatter of this repository wants them. */
function renderTable(results: readonly ModelResult[]): string[] {
  const head = ["model", ...COLUMNS.map((column) => column.title)];
  const rows = [head, ...results.map(cellsOf)];
  const widths = head.map((_title, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [...lines.slice(0, 1), rule, ...lines.slice(1)];
}

function cellsOf(result: ModelResult): string[] {
  return [result.name, ...COLUMNS.map((column) => renderCell(result.comparisons.filter((one) => column.matches(one))))];
}

/** Every reason once, as the library gives it. */
function renderRefusals(results: readonly ModelResult[]): string[] {
  const reasons = results.flatMap((result) => result.comparisons.filter((one) => one.outcome === "refused"));
  const lines = [...new Set(reasons.map((one) => one.reason))].sort();
  return lines.length === 0 ? [] : ["", "Refused:", "", ...lines.map((line) => `- ${line}`)];
}

function renderCell(comparisons: readonly Comparison[]): string {
  const bad = comparisons.find((one) => one.outcome !== "equal");
  if (bad !== undefined) return bad.error === null ? bad.outcome : `${bad.outcome} (${bad.error.toExponential(1)})`;
  if (comparisons.length === 0) return "–";
  const worst = Math.max(...comparisons.map((one) => one.error ?? 0));
  return worst === 0 ? "0" : worst.toExponential(1);
}
