import { computePasses } from "./compute-passes.js";

/** What could be drafted for one running request. */
export interface DraftChance {
  readonly sequence: number;
  /** For each token of the draft the probability that it and all before it are right. Empty: nothing to draft. */
  readonly survival: readonly number[];
  /** Seconds that this request may lose, on average of how its draft may end. */
  readonly mayLose: number;
}

/** How long a round takes whose micro-batch needs these passes; `null`: nothing is known yet. */
export type RoundSeconds = (passes: readonly number[]) => number | null;

export interface LengthLimits {
  /** Drafted tokens of one request, and of all together, at most. */
  readonly perRequest: number;
  readonly inAll: number;
  /** Seconds that a round may take longer than one without drafts: that is lost if all of them are wrong. */
  readonly risk: number;
}

/** Few, so that what each costs is soon known: with the row of the next token 2, 3, 4, 6, 8, 12, … rows. */
const LENGTHS = [1, 2, 3, 5, 7, 11, 15, 23, 31, 47, 63];

/** A gain that is worth it. */
const LEAST_GAIN = 1.05;
/** Nobody is to pay for what is drafted for another: each request keeps this part of its speed without drafts. */
const LEAST_SPEED = 0.97;

/**
 * How many tokens to draft for each of the requests of a micro-batch, in their order: what gives the most tokens per
 * second by what passes cost and how likely guesses are right. All of them 0 where drafts do not pay.
 *
 * @param secondsToDraft what it takes to make drafts of this length, where they are yet to be made
 */
export function chooseDraftLengths(
  chances: readonly DraftChance[],
  round: RoundSeconds,
  limits: LengthLimits,
  secondsToDraft: (length: number) => number = () => 0,
): readonly number[] {
  const none = chances.map(() => 0);
  const plain = secondsOf(chances, none, round);
  if (plain === null || plain <= 0) return none;
  let best = { lengths: none, rate: (chances.length / plain) * LEAST_GAIN };
  for (const length of LENGTHS) {
    if (length > limits.perRequest) break;
    const lengths = chances.map(({ survival }) => Math.min(length, survival.length));
    if (sum(lengths) > limits.inAll) break;
    const computing = secondsOf(chances, lengths, round);
    if (computing === null) continue;
    const seconds = computing + secondsToDraft(length);
    if (seconds - plain > limits.risk) continue;
    if (chances.some((chance, index) => likelyLoss(chance, lengths[index] ?? 0, seconds, plain) > chance.mayLose))
      continue;
    const tokens = chances.map(({ survival }, index) => 1 + sum(survival.slice(0, lengths[index])));
    const rate = sum(tokens) / seconds;
    if (rate > best.rate && Math.min(...tokens) / seconds >= LEAST_SPEED / plain) best = { lengths, rate };
  }
  return best.lengths;
}

/** By how many seconds a request's tokens are likely to come later than without its draft; ends that gain count as 0. */
function likelyLoss({ survival }: DraftChance, length: number, seconds: number, plain: number): number {
  let loss = 0;
  for (let right = 0; right < length; right += 1) {
    const chance = (right === 0 ? 1 : (survival[right - 1] ?? 0)) - (survival[right] ?? 0);
    loss += chance * Math.max(0, seconds - (1 + right) * plain);
  }
  return loss;
}

function secondsOf(chances: readonly DraftChance[], lengths: readonly number[], round: RoundSeconds): number | null {
  return round(computePasses(chances.map(({ sequence }, index) => ({ sequence, rows: 1 + (lengths[index] ?? 0) }))));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
