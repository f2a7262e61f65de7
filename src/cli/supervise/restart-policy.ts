/** Milliseconds. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
/** A node that ran for so long has proved that it can. */
const HEALTHY = 2 * 60_000;
/** One that ran for less had hardly started. */
const QUICK = 15_000;
/** So many of those in a row, and there is no use in going on. */
const MOST_QUICK = 6;

/** How long to wait before a node that crashed is started again. */
export class RestartPolicy {
  #inARow = 0;
  #quick = 0;

  /** Crashes since the node last ran for long. */
  get inARow(): number {
    return this.#inARow;
  }

  /**
   * Milliseconds to wait after one more crash; `null`: give up.
   * @param uptime of the process that crashed, milliseconds
   */
  next(uptime: number): number | null {
    if (uptime >= HEALTHY) this.#inARow = 0;
    this.#quick = uptime < QUICK ? this.#quick + 1 : 0;
    this.#inARow += 1;
    if (this.#quick >= MOST_QUICK) return null;
    return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.#inARow - 1));
  }
}
