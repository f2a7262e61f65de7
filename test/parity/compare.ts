import assert from "node:assert/strict";
import type { Choice, Outcome, Token } from "./outcome.js";

/** Natural logarithm. The kernels are the same, but a row may be computed beside others. */
const LOGPROB_TOLERANCE = 0.02;

export const ASPECTS = ["status", "answer", "finish", "usage", "logprobs"] as const;
export type Aspect = (typeof ASPECTS)[number];

/** What differs on purpose, with the reason. */
export type Differences = Partial<Record<Aspect, string>>;

/** @param except aspects that are not looked at */
export function assertAgrees(actual: Outcome, expected: Outcome, except: Differences, what: string): void {
  for (const aspect of ASPECTS) {
    if (except[aspect] === undefined) COMPARE[aspect](actual, expected, `${what}: ${aspect}`);
  }
}

type Compare = (actual: Outcome, expected: Outcome, what: string) => void;

const COMPARE: Readonly<Record<Aspect, Compare>> = {
  // Of a refusal the first digit says enough: the caller's fault, or the server's.
  status: (actual, expected, what) =>
    assert.equal(Math.floor(actual.status / 100), Math.floor(expected.status / 100), what),
  answer: (actual, expected, what) => assert.deepEqual(actual.choices.map(said), expected.choices.map(said), what),
  finish: (actual, expected, what) =>
    assert.deepEqual(
      actual.choices.map((one) => one.finish),
      expected.choices.map((one) => one.finish),
      what,
    ),
  usage: (actual, expected, what) =>
    assert.deepEqual(
      [actual.promptTokens, actual.completionTokens],
      [expected.promptTokens, expected.completionTokens],
      what,
    ),
  logprobs: (actual, expected, what) => {
    for (const [index, { tokens }] of expected.choices.entries()) {
      const mine = actual.choices[index]?.tokens ?? null;
      assert.deepEqual(mine?.map(counted), tokens?.map(counted), what);
      for (const [at, token] of (tokens ?? []).entries()) assertSameToken(mine?.[at], token, `${what} of token ${at}`);
    }
  },
};

function said({ text, reasoning, calls }: Choice) {
  return { text, reasoning, calls };
}

function counted({ id, top }: Token) {
  return [id, top.length];
}

/** Alternatives as good as equal may stand in another order, and the last ones be others. */
function assertSameToken(actual: Token | undefined, expected: Token, what: string): void {
  assertNear(actual?.logprob, expected.logprob, what);
  const top = new Map(actual?.top);
  const least = Math.min(...top.values());
  for (const [text, logprob] of expected.top) assertNear(top.get(text) ?? least, logprob, `${what} (${text})`);
}

function assertNear(actual: number | undefined, expected: number, what: string): void {
  const near = actual !== undefined && Math.abs(actual - expected) <= LOGPROB_TOLERANCE;
  assert.ok(near, `${what} is ${actual} instead of ${expected}`);
}
