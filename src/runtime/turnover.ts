import type { Clock } from "../core/ports.js";

/** So many of the last ones say how fast it goes. */
const REMEMBERED = 32;
const LONGEST_MS = 60_000;
/** Over so long a time those who are turned away together are spread: not all of them will come. */
const SPREAD_MS = 10_000;

/**
 * How fast waiting jobs get slots, for those who are turned away to know when to come again. Each is told a time of its own,
 * as if they stood in a line before the queue: told the same, they would all come back at once, and most of them in vain.
 */
export class Turnover {
  readonly #clock: Clock;
  /** Milliseconds of the monotonic clock. */
  readonly #admittedAt: number[] = [];
  /** When the last one that was turned away shall come again. */
  #promisedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A job has been given a slot. */
  admitted(): void {
    this.#admittedAt.push(this.#clock.monotonic());
    if (this.#admittedAt.length > REMEMBERED) this.#admittedAt.shift();
  }

  /** Nobody waits: what was before says nothing of how fast a queue moves. */
  idle(): void {
    this.#admittedAt.length = 0;
  }

  /**
   * In how many seconds, from 1 to 60, somebody should come again.
   *
   * @param isFirst he has nothing in the queue; who has does not make the line longer for others by asking for more
   */
  turnAway(isFirst: boolean): number {
    const now = this.#clock.monotonic();
    const each = (now - (this.#admittedAt[0] ?? now)) / Math.max(1, this.#admittedAt.length);
    const at = Math.min(Math.max(this.#promisedAt, now) + each, now + each + SPREAD_MS, now + LONGEST_MS);
    if (isFirst) this.#promisedAt = at;
    return Math.max(1, Math.ceil((at - now) / 1000));
  }
}
