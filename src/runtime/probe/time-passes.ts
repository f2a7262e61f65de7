import { ascending, quantile, spreadOf } from "../../core/statistics.js";
import type { PassTime } from "../../planning/speeds.js";

/** Seconds that repeating one pass may take, and how often it is repeated. */
const REPEAT_SECONDS = 0.06;
const LEAST_REPEATS = 2;
const USUAL_REPEATS = 10;
export const MOST_REPEATS = 40;
/** A pass that takes longer is not repeated. */
const LONG_SECONDS = 0.5;
/** Where half of the passes take so much longer than the fastest, other programs are in the way: they are repeated for longer. */
const UNSTEADY = 1.3;
const UNSTEADY_SECONDS = 0.25;

/** Row counts that are measured, as far as a pass of the node may have them. */
const ROW_COUNTS = [1, 2, 4, 8, 32, 128, 512];

const FEW = 8;

/** @param most rows of one pass */
export function rowCounts(most: number): readonly number[] {
  const largest = Math.min(most, ROW_COUNTS.at(-1) ?? most);
  return [...ROW_COUNTS.filter((rows) => rows < largest), largest];
}

/**
 * What a pass takes when nothing disturbs it: of many the lowest tenth, of few the least. Noise only ever adds, and a
 * single lucky one is no rule.
 */
export function typicalSeconds(samples: readonly number[]): number {
  return quantile(ascending(samples), samples.length < USUAL_REPEATS ? 0 : 0.1);
}

/** Times a pass as often as it is short. The first one, for which memory and graph are made, counts least of all. */
export async function timePass(pass: () => Promise<number>): Promise<number> {
  const samples = [await pass()];
  const repeats = repeatsOf(samples[0] ?? 0);
  while (samples.length < repeats) samples.push(await pass());
  while (samples.length < MOST_REPEATS && isUnsteady(samples)) samples.push(await pass());
  return typicalSeconds(samples);
}

function repeatsOf(seconds: number): number {
  if (seconds > LONG_SECONDS) return 1;
  return Math.min(USUAL_REPEATS, Math.max(LEAST_REPEATS, Math.ceil(REPEAT_SECONDS / seconds)));
}

function isUnsteady(samples: readonly number[]): boolean {
  const { median, min } = spreadOf(samples);
  const total = samples.reduce((sum, seconds) => sum + seconds, 0);
  return median > UNSTEADY * min && total < UNSTEADY_SECONDS;
}

/**
 * Times passes of more and more rows, as long as the next is expected to take no longer than `mostSeconds` says then; those
 * of few rows in any case.
 */
export async function timeRows(
  pass: (rows: number) => Promise<number>,
  counts: readonly number[],
  mostSeconds: () => number,
): Promise<readonly PassTime[]> {
  const times: PassTime[] = [];
  for (const rows of counts) {
    const before = times.at(-1);
    if (before !== undefined && (before.seconds * rows) / before.rows > mostSeconds() && rows > FEW) break;
    times.push({ rows, seconds: await timePass(() => pass(rows)) });
  }
  return times;
}
