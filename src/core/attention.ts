import type { Clock } from "./ports.js";

/**
 * Time during which this process was listening. A process that was stopped, slept with its machine or was kept from its
 * event loop heard nobody meanwhile, and must not blame others for that: a look that comes much later than the one before
 * counts as one that came in time.
 */
export class Attention {
  readonly #clock: Clock;
  readonly #everyMs: number;
  #lookedAt: number;
  #listened = 0;
  #lapses = 0;

  /** @param everyMs `look` is called so often, as far as this process gets to it */
  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
    this.#lookedAt = clock.monotonic();
  }

  /** How often it was away for long. */
  get lapses(): number {
    return this.#lapses;
  }

  /** Milliseconds since it began. */
  listened(): number {
    return this.#listened + Math.min(this.#sinceLook(), this.#everyMs);
  }

  /** Returns what `listened` does. */
  look(): number {
    const gap = this.#sinceLook();
    const away = gap > LATE * this.#everyMs;
    if (away) this.#lapses += 1;
    this.#listened += away ? this.#everyMs : gap;
    this.#lookedAt = this.#clock.monotonic();
    return this.#listened;
  }

  #sinceLook(): number {
    return Math.max(0, this.#clock.monotonic() - this.#lookedAt);
  }
}

/** Looks that come later than so many times their pause tell of a process that did not run. */
const LATE = 2.5;
