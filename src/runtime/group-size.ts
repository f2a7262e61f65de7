import { fadingAverage } from "../core/statistics.js";

/**
 * How many running requests share a micro-batch. In a ring of N stages one micro-batch with everybody in it leaves N - 1
 * stages idle; groups that follow each other keep them busy, as long as a smaller group is computed faster. That differs
 * by device and weights (a GPU takes 8 rows in the time of one, a CPU kernel may take 1 and 2 in proportion and 3 and 4
 * alike), so it is measured: every micro-batch tells what its number of rows costs.
 */
export class GroupSizer {
  readonly #stageCount: number;
  /** Rows → what micro-batches of so many rows cost lately. */
  readonly #curve = new Map<number, Cost>();
  #records = 0;
  /** Seconds of a way round that no stage computes: hops. */
  #overhead = 0;

  constructor(stageCount: number) {
    this.#stageCount = stageCount;
  }

  /** What a micro-batch of `rows` next tokens took. */
  record(rows: number, compute: number, overhead: number): void {
    this.#records += 1;
    const known = this.#curve.get(rows);
    const seconds = [...(known?.seconds ?? []), compute].slice(-MOST_SAMPLES);
    this.#curve.set(rows, { seconds, recordedAt: this.#records });
    this.#overhead = fadingAverage(this.#overhead, overhead, WEIGHT_OF_NEW);
  }

  /** Rows per micro-batch that give `requests` running requests the most tokens per second. */
  choose(requests: number): number {
    if (this.#stageCount === 1 || requests <= 1) return Math.max(1, requests);
    const sizes = Array.from({ length: requests }, (_, index) => Math.ceil(requests / (index + 1)));
    const rounds = sizes.map((rows) => this.#secondsPerRound(Math.ceil(requests / rows), rows));
    // Every micro-batch costs a little that is not measured here, so of about equal rounds the largest group is best.
    const goodEnough = Math.min(...rounds) * ABOUT_EQUAL;
    return sizes[rounds.findIndex((round) => round <= goodEnough)] ?? requests;
  }

  /** Time in which every request gets one token: a group's way round, or the stages' work for all groups if that is more. */
  #secondsPerRound(groups: number, rows: number): number {
    const compute = this.#expected(rows);
    return Math.max(compute + this.#overhead, (groups * compute) / this.#stageCount);
  }

  /**
   * Seconds on the threads of all stages together: the least of the last few, for whatever else happens on a machine only
   * adds to it. A size that was not tried often enough, or long ago, is believed to cost nothing, so that it is tried.
   */
  #expected(rows: number): number {
    const known = this.#curve.get(rows);
    if (known === undefined || known.seconds.length < LEAST_SAMPLES) return 0;
    return this.#records - known.recordedAt > FORGET_AFTER ? 0 : Math.min(...known.seconds);
  }
}

interface Cost {
  readonly seconds: readonly number[];
  /** Which record the last one was. */
  readonly recordedAt: number;
}

const LEAST_SAMPLES = 3;
const MOST_SAMPLES = 8;
/** Micro-batches after which a size is tried again. */
const FORGET_AFTER = 2000;

const ABOUT_EQUAL = 1.03;

/** Old measurements fade within some ten micro-batches. */
const WEIGHT_OF_NEW = 0.15;
