import { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import { Changes } from "./changes.js";

/** A ring that was just loaded is waited for by somebody: it counts as used for so long before its first request. */
const FIRST_USE_MS = 5_000;

/** Who uses a ring, and since when nobody does. */
export class RingUsage {
  readonly #clock: Clock;
  readonly #changes = new Changes();
  #running = 0;
  #lastUsed: number;
  #wasUsed = false;
  #held = false;
  readonly #mostHeld: number;
  #waiting = 0;

  /** @param mostHeld requests that may wait while the ring is held */
  constructor(clock: Clock, mostHeld = Number.POSITIVE_INFINITY) {
    this.#clock = clock;
    this.#mostHeld = mostHeld;
    this.#lastUsed = clock.monotonic();
  }

  /** Requests under way. */
  get running(): number {
    return this.#running;
  }

  /** Seconds since the last request ended, or since the ring was loaded; `null` while it is used. */
  idleSeconds(): number | null {
    const idle = this.#clock.monotonic() - this.#lastUsed;
    if (this.#running > 0 || (!this.#wasUsed && idle < FIRST_USE_MS)) return null;
    return idle / 1000;
  }

  /**
   * A request begins; waits while the ring is held. Returns what to call when it has ended. Rejects with `overloaded` where
   * too many wait already.
   */
  async begin(signal: AbortSignal): Promise<() => void> {
    if (this.#held) await this.#released(signal);
    this.#running += 1;
    this.#wasUsed = true;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#running -= 1;
      this.#lastUsed = this.#clock.monotonic();
      this.#changes.notify();
    };
  }

  async #released(signal: AbortSignal): Promise<void> {
    if (this.#waiting >= this.#mostHeld) {
      throw new ExoError(
        "overloaded",
        `${this.#waiting} requests wait for the ring to be there again; try again later.`,
      );
    }
    this.#waiting += 1;
    try {
      while (this.#held && !signal.aborted) await this.#changes.next(signal);
    } finally {
      this.#waiting -= 1;
    }
  }

  /** The ring was loaded: from now on it can be idle. */
  loaded(): void {
    this.#lastUsed = this.#clock.monotonic();
    this.#wasUsed = false;
  }

  /** From now on requests that come wait for `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#changes.notify();
  }

  /** Resolves when no request runs, or when the signal aborts. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    while (this.#running > 0 && !signal.aborted) await this.#changes.next(signal);
  }
}
