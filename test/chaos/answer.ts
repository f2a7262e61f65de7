import type { CompletionChoice } from "openai/resources/completions";

/** What an answer said, and the log-probabilities of the best few tokens at each place. */
export interface Answer {
  readonly text: string;
  readonly tokens: readonly string[];
  /** By the tokens' text. */
  readonly top: readonly Readonly<Record<string, number>>[];
}

/** - same: word for word, as far as it goes
 * - tipped: it went another way where the probabilities are the same: last bits decided a close choice
 * - other: the probabilities differ, so something else was computed
 */
export interface Comparison {
  readonly result: "same" | "tipped" | "other";
  /** For people; empty where all is well. */
  readonly detail: string;
}

/** As far as an answer has come, of the pieces of a stream. */
export class GrowingAnswer implements Answer {
  text = "";
  readonly tokens: string[] = [];
  readonly top: Readonly<Record<string, number>>[] = [];

  add({ text, logprobs }: Pick<CompletionChoice, "text" | "logprobs">): void {
    this.text += text;
    this.tokens.push(...(logprobs?.tokens ?? []));
    this.top.push(...(logprobs?.top_logprobs ?? []));
  }
}

/** Bytes of a character that is not whole yet: several tokens share this text. */
const REPLACEMENT = "\uFFFD";

/** What a row computed in a batch of another shape makes of a log-probability; docs/performance.md, "in chunks of 32". */
const TOLERANCE = 0.05;

/** Holds an answer, or its beginning, against the one that nobody disturbed. */
export function compareAnswers(actual: Answer, expected: Answer): Comparison {
  for (const [at, token] of actual.tokens.entries()) {
    const fault = differenceOf(actual.top[at] ?? {}, expected.top[at] ?? {});
    if (fault !== null) return { result: "other", detail: `token ${at}: ${fault}` };
    if (token !== expected.tokens[at]) {
      return { result: "tipped", detail: `at token ${at} ${JSON.stringify([token, expected.tokens[at]])}` };
    }
  }
  if (expected.text.startsWith(actual.text)) return { result: "same", detail: "" };
  return {
    result: "other",
    detail: `${JSON.stringify(actual.text)} is no beginning of ${JSON.stringify(expected.text)}`,
  };
}

function differenceOf(here: Readonly<Record<string, number>>, there: Readonly<Record<string, number>>): string | null {
  for (const [token, logprob] of Object.entries(here)) {
    const other = there[token];
    if (other === undefined || token.includes(REPLACEMENT) || Math.abs(logprob - other) <= TOLERANCE) continue;
    return `${JSON.stringify(token)} has log-probability ${logprob} instead of ${other}`;
  }
  return null;
}
