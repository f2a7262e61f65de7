/** Milliseconds. */
export interface SilenceLimits {
  /** However fast the answers come, one that takes no longer than this is no silence. */
  readonly leastMs: number;
  /** However slow they are, one that takes longer is. */
  readonly mostMs: number;
}

/** Answers that count for what is expected of the next. */
const LATELY = 64;
/** An answer may take so many times as long as the slowest one lately. */
const MARGIN = 1.5;

/**
 * When somebody who is asked again and again has fallen silent. How long an answer may take follows from how long answers
 * took lately, so that a slow link or a busy machine earns patience, and loses it again. Times are milliseconds of whatever
 * clock the caller uses, which should only count the time in which it listened (`Attention`).
 */
export class Silence {
  readonly #limits: SilenceLimits;
  readonly #lately = new Float64Array(LATELY);
  #count = 0;
  /** Since when something is due and no sign came. */
  #since: number | null = null;
  #silent = false;

  constructor(limits: SilenceLimits) {
    this.#limits = limits;
  }

  get isSilent(): boolean {
    return this.#silent;
  }

  /** What the next answer may take. */
  get patienceMs(): number {
    const slowest = Math.max(...this.#lately.subarray(0, Math.min(this.#count, LATELY)), 0);
    return Math.min(this.#limits.mostMs, Math.max(this.#limits.leastMs, MARGIN * slowest));
  }

  /** Something is due from now on. */
  asked(now: number): void {
    this.#since ??= now;
  }

  /**
   * What was due came. One that came too late counts as one that was just too late, so that one long pause makes patient by
   * half, and only those that repeat themselves by more. What took longer than anybody is waited for was no slowness: somebody
   * slept, or the way was cut, and nothing is learnt of that.
   */
  answered(now: number): void {
    if (this.#since !== null && now - this.#since <= this.#limits.mostMs) this.#learn(now - this.#since);
    this.#since = null;
    this.#silent = false;
  }

  /** Another sign of life came. */
  heard(now: number): void {
    if (this.#since !== null) this.#since = now;
    this.#silent = false;
  }

  /** Whether it has just fallen silent; true once for each silence. */
  judge(now: number): boolean {
    if (this.#silent || this.#since === null || now - this.#since < this.patienceMs) return false;
    this.#silent = true;
    return true;
  }

  #learn(tookMs: number): void {
    this.#lately[this.#count % LATELY] = Math.min(tookMs, this.patienceMs);
    this.#count += 1;
  }
}
