import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { packageRoot } from "../../src/core/package.js";
import { type Spread, spreadOf } from "../../src/core/statistics.js";
import { formatFigure, isFigureName } from "../figures.js";
import { findSubject, type Outcome, samplesOf } from "../outcome.js";
import { ratioOf } from "../ratio.js";

const place = z.strictObject({ case: z.string(), subject: z.string(), figure: z.string() });

const goalSchema = z
  .strictObject({
    id: z.string(),
    goal: z.string(),
    /** Only for models of this quantisation. */
    quantisation: z.string().optional(),
    value: place,
    /** The value is divided by this one. */
    against: place.optional(),
    /** No verdict where nodes share processors: what is compared supposes that each has its own. */
    ownCores: z.boolean().optional(),
    /** Judged by the worst of the rounds: what is promised for each answer, not on average. */
    every: z.boolean().optional(),
    least: z.number().optional(),
    most: z.number().optional(),
  })
  .refine(({ least, most }) => (least === undefined) !== (most === undefined), "either `least` or `most`");

export const goalsSchema = z.array(goalSchema);
/** Goal → quantisation (or `*`) → why it stands as it does, a sentence written by whoever looked into it. */
export const reasonsSchema = z.record(z.string(), z.record(z.string(), z.string()));

export type Goal = z.infer<typeof goalSchema>;
export type Reasons = z.infer<typeof reasonsSchema>;

/** How a run stands to a goal. */
export interface GoalResult {
  readonly goal: Goal;
  /** `null`: not measured. */
  readonly measured: Spread | null;
  /** `null`: no verdict. */
  readonly met: boolean | null;
  /** Sentences: why it was not measured, what limits it. */
  readonly reasons: readonly string[];
}

export async function readGoals(): Promise<{ readonly goals: readonly Goal[]; readonly reasons: Reasons }> {
  const read = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(join(packageRoot(), "benchmarks", name), "utf8"));
  return {
    goals: goalsSchema.parse(await read("goals.json")),
    reasons: reasonsSchema.parse(await read("reasons.json")),
  };
}

/** All goals in their order; those of other quantisations as not measured. */
export function judge(outcome: Outcome, goals: readonly Goal[], reasons: Reasons): readonly GoalResult[] {
  return goals.map((goal) => {
    const measured = isForModel(outcome, goal) ? measure(outcome, goal) : null;
    const doubts = measured === null ? [whyNotMeasured(outcome, goal)] : doubtsAbout(outcome, goal);
    const met = measured === null || doubts.length > 0 ? null : isMet(goal, judgedBy(goal, measured));
    const written = reasons[goal.id]?.[outcome.model.quantisation] ?? reasons[goal.id]?.["*"];
    const shared = measured !== null && sharesCores(outcome, goal) ? ["More nodes than cores: they share."] : [];
    return { goal, measured, met, reasons: [...shared, ...doubts, ...(met === true || !written ? [] : [written])] };
  });
}

function isForModel({ model }: Outcome, { quantisation }: Goal): boolean {
  return quantisation === undefined || quantisation === model.quantisation;
}

/** Why nothing is concluded from what was measured. */
function doubtsAbout(outcome: Outcome, goal: Goal): readonly string[] {
  return [
    ...(outcome.settings.quick ? ["--quick: too few rounds for a verdict."] : []),
    ...(goal.ownCores === true && sharesCores(outcome, goal)
      ? ["No verdict: the ideal supposes a core for each node."]
      : []),
  ];
}

/** How many of the goals that were measured are met. */
export function tally(results: readonly GoalResult[]): { readonly met: number; readonly missed: number } {
  return {
    met: results.filter(({ met }) => met === true).length,
    missed: results.filter(({ met }) => met === false).length,
  };
}

/** What repeats the measurement. */
export function commandOf({ value, against, quantisation }: Goal, model: Outcome["model"]): string {
  const cases = [...new Set([value.case, against?.case ?? value.case])];
  const another = quantisation !== undefined && quantisation !== model.quantisation;
  return `npm run bench -- ${another ? `--model <in ${quantisation}> ` : ""}--only ${cases.join(",")}`;
}

export function formatBound(goal: Goal): string {
  const sign = goal.least === undefined ? "≤" : "≥";
  const rounds = goal.every === true ? ", each round" : "";
  return `${sign} ${formatValue(goal, goal.least ?? goal.most ?? Number.NaN, false)}${rounds}`;
}

export function formatMeasured(goal: Goal, { median, min, max }: Spread): string {
  const value = formatValue(goal, median, true);
  return min === max ? value : `${value} (${formatValue(goal, min, true)} to ${formatValue(goal, max, true)})`;
}

function formatValue(goal: Goal, value: number, exact: boolean): string {
  if (goal.against !== undefined || !isFigureName(goal.value.figure)) return exact ? value.toFixed(2) : String(value);
  return formatFigure(goal.value.figure, value);
}

function measure(outcome: Outcome, { value, against }: Goal): Spread | null {
  const samples = samplesOf(outcome, value.case, value.subject, value.figure);
  if (samples.length === 0) return null;
  if (against === undefined) return spreadOf(samples);
  const reference = samplesOf(outcome, against.case, against.subject, against.figure);
  return reference.length === 0 ? null : ratioOf(samples, reference);
}

function judgedBy({ every, least }: Goal, { median, min, max }: Spread): number {
  if (every !== true) return median;
  return least === undefined ? max : min;
}

function isMet({ least, most }: Goal, value: number): boolean {
  return least === undefined ? value <= (most ?? Number.NaN) : value >= least;
}

function sharesCores(outcome: Outcome, { value }: Goal): boolean {
  return findSubject(outcome, value.case, value.subject)?.sharesCores ?? false;
}

function whyNotMeasured(outcome: Outcome, goal: Goal): string {
  const { value, against, quantisation } = goal;
  if (!isForModel(outcome, goal))
    return `Needs a model in ${quantisation}, by --model; docs/benchmarks.md says how to get one.`;
  for (const at of [value, ...(against === undefined ? [] : [against])]) {
    const one = outcome.cases.find(({ id }) => id === at.case);
    if (one === undefined) return `The case ${at.case} was not part of this run.`;
    if (one.skipped !== null) return one.skipped;
    const subject = findSubject(outcome, at.case, at.subject);
    if (subject === null) return `${at.subject} was not part of this run.`;
    if (subject.unavailable !== null) return subject.unavailable;
    if (subject.failure !== null) return `${subject.label} failed: ${subject.failure}`;
  }
  return "Nothing was measured.";
}
