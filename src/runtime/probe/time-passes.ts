import { ascending, quantile, spreadOf } from "../../core/statistics.js";
import type { PassTime } from "../../planning/speeds.js";

/** One pass, as it was timed. */
export interface TimedPass {
  readonly seconds: number;
  /** Part of its processor time that the stage's threads got: less than 1 where others had their cores. 1: not known. */
  readonly share: number;
}

/** What a pass takes. */
export interface PassTiming {
  readonly seconds: number;
  /** Other programs were in the way all the time. */
  readonly disturbed: boolean;
  /** Seconds for which it was repeated because of them. */
  readonly waited: number;
}

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
/** The same where threads get less than this part of their processor time, which may hit every pass alike. */
const LEAST_SHARE = 0.8;
const WITHOUT_CORES_SECONDS = 0.5;
/** Of shorter passes the share tells nothing: threads sleep in between, and wake up. */
const SHORT_SECONDS = 0.002;

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

/**
 * Times a pass as often as it is short. The first one, for which memory and graph are made, counts least of all.
 *
 * @param patience seconds for which it may be repeated only because others had the cores
 */
export async function timePass(pass: () => Promise<TimedPass>, patience: number): Promise<PassTiming> {
  const samples = [await pass()];
  const repeats = repeatsOf(samples[0]?.seconds ?? 0);
  while (samples.length < repeats) samples.push(await pass());
  while (samples.length < MOST_REPEATS && isUnsteady(samples)) samples.push(await pass());
  const usual = total(samples);
  const end = usual + Math.min(patience, WITHOUT_CORES_SECONDS);
  while (samples.length < MOST_REPEATS && fewHadTheirCores(samples) && total(samples) < end) samples.push(await pass());
  return {
    seconds: typicalSeconds(samples.map(ownSeconds)),
    disturbed: !samples.some(hadItsCores),
    waited: total(samples) - usual,
  };
}

function repeatsOf(seconds: number): number {
  if (seconds > LONG_SECONDS) return 1;
  return Math.min(USUAL_REPEATS, Math.max(LEAST_REPEATS, Math.ceil(REPEAT_SECONDS / seconds)));
}

function isUnsteady(samples: readonly TimedPass[]): boolean {
  const { median, min } = spreadOf(samples.map(({ seconds }) => seconds));
  return median > UNSTEADY * min && total(samples) < UNSTEADY_SECONDS;
}

function fewHadTheirCores(samples: readonly TimedPass[]): boolean {
  return samples.filter(hadItsCores).length < Math.min(LEAST_REPEATS, samples.length);
}

function hadItsCores({ seconds, share }: TimedPass): boolean {
  return seconds < SHORT_SECONDS || share >= LEAST_SHARE;
}

/**
 * Where others had the cores, the time that its threads did have: with a single one that is what it takes alone, but for
 * caches that others fill; of several some wait for the one that has to stand back, so it is too long, but not by as much.
 */
export function ownSeconds(pass: TimedPass): number {
  return hadItsCores(pass) ? pass.seconds : pass.seconds * pass.share;
}

function total(samples: readonly TimedPass[]): number {
  return samples.reduce((sum, { seconds }) => sum + seconds, 0);
}

/**
 * Times passes of more and more rows, as long as the next is expected to take no longer than `mostSeconds` says then; those
 * of few rows in any case.
 */
export async function timeRows(
  time: (rows: number) => Promise<number>,
  counts: readonly number[],
  mostSeconds: () => number,
): Promise<readonly PassTime[]> {
  const times: PassTime[] = [];
  for (const rows of counts) {
    const before = times.at(-1);
    if (before !== undefined && (before.seconds * rows) / before.rows > mostSeconds() && rows > FEW) break;
    times.push({ rows, seconds: await time(rows) });
  }
  return times;
}
