import { formatByteSize } from "../../src/config/byte-size.js";
import { spreadOf } from "../../src/core/statistics.js";
import { FIGURES, isFigureName } from "../figures.js";
import { type CaseOutcome, type Outcome, referenceOf, type SubjectOutcome } from "../outcome.js";
import { ratioOf } from "../ratio.js";
import type { Chart } from "./charts.js";
import { commandOf, formatBound, formatMeasured, type GoalResult, tally } from "./goals.js";
import { reading } from "./reading.js";

/** @param charts with the names of their files beside the report */
export function toMarkdown(
  outcome: Outcome,
  goals: readonly GoalResult[],
  charts: readonly (Pick<Chart, "title"> & { readonly file: string })[],
): string {
  const parts = [
    `# ${outcome.model.id} (${outcome.model.quantisation})`,
    circumstances(outcome),
    "## What to reach",
    goalTable(goals, outcome.model),
    reading(outcome),
    "## Cases",
    howToRead(outcome),
    ...outcome.cases.map(caseSection),
    ...(charts.length === 0 ? [] : ["## Charts", ...charts.map(({ title, file }) => `![${title}](${file})`)]),
  ];
  return `${parts.join("\n\n")}\n`;
}

function circumstances({ machine, versions, model, settings, startedAt, seconds }: Outcome): string {
  const rows = [
    [
      "machine",
      `${machine.processor}, ${machine.cores} cores, ${formatByteSize(machine.memoryBytes)}, ${machine.system}`,
    ],
    ["load before", machine.loadAverage.toFixed(2)],
    ["model", `${model.id}, ${model.quantisation}, ${formatByteSize(model.bytes)}`],
    [
      "versions",
      `exo-native ${versions.exoNative}, llama.cpp ${versions.llamaCpp} (ggml ${versions.ggml}), Node ${versions.node}`,
    ],
    ["run", `${startedAt}, ${Math.round(seconds / 60)} min, ${rounds(settings)}`],
    ["threads", `one per node and server; ${pinning(machine.pinned, machine.cores)}`],
  ];
  return [`| | |`, "|---|---|", ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join("\n");
}

function rounds({ repeats, quick }: Outcome["settings"]): string {
  const counted = `${repeats} round${repeats === 1 ? "" : "s"} counted`;
  return quick ? `${counted}, --quick: too few for fine differences` : counted;
}

function pinning(pinned: boolean, cores: number): string {
  if (!pinned) return "not kept on processors of their own (no taskset here), so figures spread more";
  return `each on a processor of its own; more of them than the ${cores} cores share`;
}

function goalTable(goals: readonly GoalResult[], model: Outcome["model"]): string {
  const { met, missed } = tally(goals);
  const rows = goals.map(({ goal, measured, met: isMet, reasons }) => {
    const value = measured === null ? "not measured" : formatMeasured(goal, measured);
    const verdict = isMet === null ? "–" : isMet ? "met" : "**not met**";
    const name = goal.quantisation === undefined ? goal.goal : `${goal.goal} (${goal.quantisation})`;
    return `| ${name} | ${formatBound(goal)} | ${value} | ${verdict} | ${cell(reasons.join(" "))} | \`${commandOf(goal, model)}\` |`;
  });
  return [
    `${met} met, ${missed} not met, ${goals.length - met - missed} without a verdict. Ratios are medians of the rounds' own ratios.`,
    "",
    "| goal | bound | measured | | reason | again with |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function howToRead({ settings }: Outcome): string {
  return (
    `Median, and lowest to highest of ${rounds(settings)}; × is against what the case compares with, its first row in a whole run. Context ${settings.contextSize} tokens, ` +
    `${settings.slots} slots. \`npm run bench -- --only ID\` repeats a case.`
  );
}

function caseSection(one: CaseOutcome): string {
  const heading = `### ${one.title}\n\n\`${one.id}\``;
  if (one.skipped !== null) return `${heading}: ${one.skipped}`;
  const names = [...new Set(one.subjects.flatMap(({ samples }) => Object.keys(samples)))];
  const rows = one.subjects.map((subject) => {
    const cells = names.map((name) => figureCell(subject, one, name));
    return `| ${subject.label} | ${[...cells, cell(remark(subject))].join(" | ")} |`;
  });
  const titles = names.map((name) =>
    isFigureName(name) ? `${FIGURES[name].label} ${FIGURES[name].unit}`.trimEnd() : name,
  );
  return [
    heading,
    "",
    `| | ${[...titles, ""].join(" | ")} |`,
    `|---|${[...titles, ""].map(() => "---|").join("")}`,
    ...rows,
  ].join("\n");
}

function figureCell(subject: SubjectOutcome, one: CaseOutcome, name: string): string {
  const samples = subject.samples[name] ?? [];
  if (samples.length === 0) return "";
  const { median, min, max } = spreadOf(samples);
  const digits = isFigureName(name) ? FIGURES[name].digits : 2;
  const range = min === max ? "" : ` (${min.toFixed(digits)}–${max.toFixed(digits)})`;
  const reference = name === one.compared ? referenceOf(one, subject, name) : [];
  const ratio = reference.length > 0 ? ` **×${ratioOf(samples, reference).median.toFixed(2)}**` : "";
  return `${median.toFixed(digits)}${range}${ratio}`;
}

function remark({ unavailable, failure, sharesCores, settings }: SubjectOutcome): string {
  const chosen = Object.entries(settings).map(([name, value]) => `${name}: ${value}`);
  return [
    ...(unavailable === null ? [] : [`left out: ${unavailable}`]),
    ...(failure === null ? [] : [`failed: ${failure}`]),
    ...(sharesCores ? ["cores shared"] : []),
    ...chosen,
  ].join("; ");
}

/** One line, and no bar that would end the cell. */
function cell(words: string): string {
  return words.replaceAll(/\s+/g, " ").replaceAll("|", "\\|").trim();
}
