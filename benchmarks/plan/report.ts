import { machine, versions } from "../host/machine.js";
import type { Tried } from "./comparison.js";
import type { Performance, Plan } from "./planned-nodes.js";

/** One arrangement: what the planner chose and foresaw, and what the ring did; or why that is not known. */
export interface Checked {
  readonly title: string;
  readonly plan: Plan | null;
  readonly seen: Performance | null;
  readonly failure: string | null;
}

/** The planner's choice among others, in one arrangement. */
export interface Compared {
  readonly title: string;
  /** Cuts were tried after every so many layers. */
  readonly step: number;
  readonly tried: readonly Tried[];
}

export interface Settings {
  readonly model: string;
  readonly rounds: number;
}

export const CHECKED_HEADING =
  "| | layers | decode tok/s, predicted / measured | TTFT of 512 tokens, s, predicted / measured |\n|---|---|---|---|\n";
export const TRIED_HEADING =
  "| layers | decode tok/s, predicted / measured | predicted just before / measured |\n|---|---|---|\n";

export function checkedRow({ title, plan, seen, failure }: Checked): string {
  const cells = [
    title,
    plan?.layers ?? "",
    compared(plan?.decodeTokensPerSecond, seen?.decodeTokensPerSecond, 1),
    failure ?? compared(plan?.ttftSeconds, seen?.ttftSeconds, 2),
  ];
  return `| ${cells.join(" | ")} |\n`;
}

export function triedRow({ layers, isPlanned, predicted, predictedLater, measured, failure }: Tried): string {
  const cells = [
    isPlanned ? `${layers} (planned)` : layers,
    failure ?? compared(predicted, measured, 1),
    failure === null ? compared(predictedLater, measured, 1) : "",
  ];
  return `| ${cells.join(" | ")} |\n`;
}

function compared(predicted: number | null | undefined, seen: number | null | undefined, digits: number): string {
  const [a, b] = [predicted?.toFixed(digits) ?? "not known", seen?.toFixed(digits) ?? "not measured"];
  if (predicted == null || seen == null) return `${a} / ${b}`;
  const error = Math.round((predicted / seen - 1) * 100);
  return `${a} / ${b} (${error >= 0 ? "+" : ""}${error} %)`;
}

/** How the planner's choice did among all that were measured. */
export function verdict({ title, step, tried }: Compared): string {
  const rates = tried.flatMap(({ measured }) => measured ?? []);
  const failed = tried.length - rates.length;
  const notMeasured = failed === 0 ? "" : ` ${failed} more could not be measured.`;
  const planned = tried.find(({ isPlanned }) => isPlanned)?.measured ?? null;
  const what = `${title}: ${rates.length} placements were measured, cut after every ${step} layers.${notMeasured}`;
  if (planned === null) return `${what} The planner's choice was not.`;
  const best = Math.max(...rates);
  const share = ((planned / best) * 100).toFixed(1);
  return `${what} The planner's choice decodes at ${share} % of the best of them (${planned.toFixed(1)} of ${best.toFixed(1)} tok/s).`;
}

/** The file of results. */
export function toMarkdown(settings: Settings, checked: readonly Checked[], all: readonly Compared[]): string {
  const { model, rounds } = settings;
  const { processor, cores, pinned, loadAverage } = machine();
  const { node, llamaCpp } = versions();
  const date = new Date().toISOString().slice(0, 10);
  const parts = [
    `# What plans predicted against what rings did\n`,
    `${model}, all nodes on one machine (${processor}, ${cores} cores, load ${loadAverage.toFixed(1)} at the end); ` +
      `${pinned ? "a node with one thread stays on a core of its own as far as there are enough, one with two has two" : "no node has cores of its own"}. ` +
      `Node.js ${node}, llama.cpp ${llamaCpp}, ${date}.\n`,
    `Predicted by \`POST /cluster/plan\` on nodes that had computed nothing yet, then loaded as planned and measured: ` +
      `prompts of 512 tokens, and the 48 tokens after the first behind them. The best of ${rounds} rounds counts, for ` +
      `what else a machine does only makes it slower.\n`,
    CHECKED_HEADING + checked.map(checkedRow).join(""),
    ...(all.length === 0 ? [] : [COMPARED_TEXT, ...all.flatMap(comparedPart)]),
  ];
  return `${parts.join("\n")}`;
}

const COMPARED_TEXT =
  "\n## The planner's choice among others\n\nAll orders of the nodes (of those alike only one) with cuts by hand, on the same nodes: the best of two answers behind " +
  "512 tokens counts, and the planner's choice and the two best of the others were measured once more at the end. Predicted before any of " +
  "them was loaded; and just before each, with what the rings before it had shown.\n";

function comparedPart(compared: Compared): readonly string[] {
  return [`${verdict(compared)}\n`, TRIED_HEADING + compared.tried.map(triedRow).join("")];
}
