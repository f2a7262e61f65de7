import type { StageTimes } from "../transport/frame.js";

/** Micro-batches that are looked back on. */
const WINDOW = 64;
/** Clocks of two machines drift apart; what was seen longer ago than this says nothing of how far. Microseconds. */
const FRESH = 10_000_000;
const WRAP = 2 ** 32;

/**
 * How long each hop of a way round took. A hop begins by one clock and ends by another, whose difference nobody knows;
 * but round the whole ring the differences cancel, so the sum of all hops is exact. Of one hop what it took beyond its
 * own quickest time lately is known, too. What remains, the quickest times, is shared equally.
 */
export class HopDelays {
  /** By hop: how much later than in the first micro-batch it ended, by the two clocks, in microseconds. */
  readonly #lately: readonly Float64Array[];
  readonly #first: number[] = [];
  #count = 0;
  #lastBack = 0;
  #latest: readonly number[] = [];

  constructor(hopCount: number) {
    this.#lately = Array.from({ length: hopCount }, () => new Float64Array(WINDOW));
  }

  /** Seconds that each hop took in the last way round, the one from the head first; none before the first. */
  get latest(): readonly number[] {
    return this.#latest;
  }

  /**
   * @param stages the head first, one for each hop
   * @param back when the frame was at the head again, by the head's clock
   * @returns seconds of each hop
   */
  record(stages: readonly StageTimes[], back: number): readonly number[] {
    const raw = stages.map((stage, hop) => {
      const arrived = stages[hop + 1]?.arrivedMicroseconds ?? back;
      return since(stage.leftMicroseconds, arrived);
    });
    const away = since(stages[0]?.leftMicroseconds ?? back, back);
    if (this.#count > 0 && since(this.#lastBack, back) > FRESH) this.#count = 0;
    if (this.#count === 0) this.#first.splice(0, this.#first.length, ...raw);
    const excess = raw.map((microseconds, hop) => this.#excess(hop, microseconds));
    this.#count += 1;
    this.#lastBack = back;
    // Whatever the stages between say, no more time can have passed than the head saw.
    const total = Math.min(raw.reduce((sum, microseconds) => sum + microseconds, 0) % WRAP, away);
    this.#latest = share(excess, total).map((microseconds) => microseconds / 1e6);
    return this.#latest;
  }

  /** Beyond the quickest lately. */
  #excess(hop: number, raw: number): number {
    // The nearer of the two ways round the circle of 2^32.
    const later = (raw - (this.#first[hop] ?? raw)) | 0;
    const lately = this.#lately[hop];
    if (lately === undefined) return 0;
    lately[this.#count % WINDOW] = later;
    let quickest = later;
    const known = Math.min(this.#count + 1, WINDOW);
    for (let index = 0; index < known; index += 1) quickest = Math.min(quickest, lately[index] ?? quickest);
    return later - quickest;
  }
}

/** From one time to a later one, both modulo 2^32. */
export function since(begin: number, end: number): number {
  return (end - begin + WRAP) % WRAP;
}

function share(excess: readonly number[], total: number): readonly number[] {
  const beyond = excess.reduce((sum, value) => sum + value, 0);
  if (beyond > total) return excess.map((value) => (value * total) / beyond);
  return excess.map((value) => value + (total - beyond) / excess.length);
}
