import type { BenchTarget } from "../bench/bench-target.js";
import { type Alignment, inColumns, wrapped } from "../terminal/columns.js";
import type { Paint } from "../terminal/paint.js";
import type { RingAnswer } from "./ask-ring.js";
import { type AnswerComparison, isMismatch, MOST_OVER_MEAN } from "./compare-answer.js";

export interface ComparedAnswer {
  readonly answer: RingAnswer;
  readonly comparison: AnswerComparison;
  /** Of the first token in which they differ, as one node has it. */
  readonly referenceText: string | null;
  /** Mean difference that passes. */
  readonly tolerance: number;
}

/** What `exo-native bench --verify --json` prints. Differences are of natural logarithms of probabilities. */
export interface VerifyReport {
  readonly model: string;
  readonly url: string;
  readonly nodes: number;
  /** File of the whole model. */
  readonly reference: string;
  /** Mean difference that passes for rounding, where an answer need not be exact. */
  readonly tolerance: number;
  readonly ok: boolean;
  /** Everything was compared before the time was up. */
  readonly complete: boolean;
  /** The ring took a repeated prompt from its cache, so that this was compared, too. */
  readonly cache_used: boolean;
  /** `null` when it is infinite. */
  readonly largest_difference: number | null;
  readonly answers: readonly VerifiedAnswer[];
}

export interface VerifiedAnswer {
  readonly prompt: string;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly tokens: number;
  readonly tolerance: number;
  readonly ok: boolean;
  readonly different_tokens: number;
  readonly mean_difference: number | null;
  readonly largest_difference: number | null;
  readonly first_difference: {
    readonly at: number;
    readonly token: number;
    readonly text: string;
    readonly reference_token: number;
    readonly reference_text: string;
    readonly gap: number | null;
  } | null;
}

export function verifyReport(
  { client, model, ring }: Pick<BenchTarget, "client" | "model" | "ring">,
  found: {
    readonly reference: string;
    readonly tolerance: number;
    readonly complete: boolean;
    readonly compared: readonly ComparedAnswer[];
  },
): VerifyReport {
  const { reference, tolerance, complete, compared } = found;
  const answers = compared.map(verifiedAnswer);
  return {
    model: model.id,
    url: client.url.origin,
    nodes: ring.stages.length,
    reference,
    tolerance,
    ok: answers.length > 0 && answers.every(({ ok }) => ok),
    complete,
    cache_used: answers.some(({ cached_tokens }) => cached_tokens > 0),
    largest_difference: finite(Math.max(0, ...compared.map(({ comparison }) => comparison.largestDifference))),
    answers,
  };
}

function verifiedAnswer({ answer, comparison, referenceText, tolerance }: ComparedAnswer): VerifiedAnswer {
  const first = comparison.firstDifference;
  return {
    prompt: answer.label,
    prompt_tokens: answer.prompt.length,
    cached_tokens: answer.cachedTokens,
    tokens: comparison.tokens,
    tolerance,
    ok: !isMismatch(comparison, tolerance),
    different_tokens: comparison.differentTokens,
    mean_difference: finite(comparison.meanDifference),
    largest_difference: finite(comparison.largestDifference),
    first_difference:
      first === null
        ? null
        : {
            at: first.at,
            token: first.ringToken,
            text: answer.tokens[first.at]?.text ?? "",
            reference_token: first.referenceToken,
            reference_text: referenceText ?? "",
            gap: finite(first.gap),
          },
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

const ALIGNMENTS: readonly Alignment[] = ["left", "right", "right", "right", "right", "left"];

export function verifyTable(report: VerifyReport, width: number, paint: Paint): string {
  const { model, nodes, url, reference, answers } = report;
  const heading = `${model} on ${nodes} ${nodes === 1 ? "node" : "nodes"}, ${url}, beside ${reference} on one`;
  const rows = answers.map((one) => [
    `  ${one.prompt}`,
    String(one.tokens),
    String(one.different_tokens),
    differenceText(one.mean_difference),
    differenceText(one.largest_difference),
    one.ok ? paint("green", "same") : paint("red", "differs"),
  ]);
  return `${[
    paint("bold", heading),
    ...inColumns([["Prompt", "tokens", "chosen otherwise", "mean off", "most off", ""], ...rows], ALIGNMENTS),
    "",
    ...notes(report).flatMap((note) => wrapped(note, width - 1)),
  ].join("\n")}\n`;
}

function notes(report: VerifyReport): readonly string[] {
  const { nodes, tolerance, answers, complete, cache_used } = report;
  const exact = answers.filter((one) => one.tolerance < tolerance).length;
  return [
    `How far log-probabilities are off; ${tolerance} in the mean, and ${MOST_OVER_MEAN * tolerance} at one place, pass for ` +
      "rounding: in batches of another size kernels add up in another order, which can also tip a close choice.",
    ...(exact === 0
      ? []
      : [`${exact} of the answers had to agree to the last digits: there the batches are the same.`]),
    ...(nodes === 1 ? ["The ring has one node, so nothing is split."] : []),
    ...(complete ? [] : ["The time was up before everything was compared."]),
    ...(complete && !cache_used ? ["The ring took nothing from its prefix cache, so that was not compared."] : []),
    ...(report.ok ? [`The ring computes what one node computes: ${agreement(report)}.`] : []),
  ];
}

function agreement({ answers, largest_difference }: VerifyReport): string {
  const tokens = answers.reduce((sum, one) => sum + one.tokens, 0);
  const others = answers.reduce((sum, one) => sum + one.different_tokens, 0);
  const choices =
    others === 0 ? "every token the same" : `${others} of ${tokens} tokens chosen otherwise, in close choices`;
  return `${tokens} tokens compared, ${choices}, log-probabilities within ${differenceText(largest_difference)}`;
}

/** One sentence about the first answer that is wrong. */
export function mismatchText({ answers }: VerifyReport): string {
  const wrong = answers.find(({ ok }) => !ok);
  if (wrong === undefined) return "The ring gave no answer to compare.";
  const { first_difference: first, prompt, tolerance, mean_difference, largest_difference } = wrong;
  const token =
    first === null
      ? ""
      : ` From token ${first.at + 1} on, which is ${JSON.stringify(first.text)} where one node says ` +
        `${JSON.stringify(first.reference_text)} (likelier there by ${differenceText(first.gap)}), the texts differ.`;
  return (
    `The ring does not compute what one node computes: in the answer to a prompt of ${prompt}, log-probabilities are off ` +
    `by ${differenceText(mean_difference)} in the mean and ${differenceText(largest_difference)} at most, where ` +
    `${tolerance} and ${MOST_OVER_MEAN * tolerance} pass for rounding.${token}`
  );
}

function differenceText(value: number | null): string {
  return value === null ? "infinity" : value.toFixed(value < 0.1 ? 5 : 2);
}
