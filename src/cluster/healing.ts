import type { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";

export interface HealingOptions {
  /** Between two tries in the end. */
  readonly retryMs: number;
  /** What broke has not come back for so long that nobody is to wait for it any more. */
  readonly onGivenUp: () => void;
  readonly clock: Clock;
}

/** What was lost may be back in a moment: a node that is started again, a cable that is plugged in again. */
const PATIENCE_MS = 10_000;
const FIRST_PAUSE_MS = 50;

/** How a ring that broke is brought back: tried again at once, then ever more seldom. */
export class Healing {
  readonly #options: HealingOptions;
  #brokeAt: number | null = null;
  #cause: ExoError | null = null;
  #tries = 0;
  #patience: NodeJS.Timeout | null = null;

  constructor(options: HealingOptions) {
    this.#options = options;
  }

  /** It broke, and is not back. */
  get isUnderWay(): boolean {
    return this.#brokeAt !== null;
  }

  /** It broke just now: who asks may wait for it. */
  get isFresh(): boolean {
    return this.#brokeAt !== null && this.#options.clock.monotonic() - this.#brokeAt < PATIENCE_MS;
  }

  /** It answered until now. */
  broke(cause: ExoError): void {
    this.end();
    this.#cause = cause;
    this.#brokeAt = this.#options.clock.monotonic();
    this.#patience = setTimeout(this.#options.onGivenUp, PATIENCE_MS + 50).unref();
  }

  /** Milliseconds to wait before it is tried again. */
  nextPause(): number {
    if (this.#brokeAt === null) return this.#options.retryMs;
    const pause = this.#tries === 0 ? 0 : FIRST_PAUSE_MS * 2 ** Math.min(this.#tries - 1, 10);
    this.#tries += 1;
    return Math.min(pause, this.#options.retryMs);
  }

  /** Why it does not answer, beside why it broke. */
  explain(reason: string): string {
    if (this.#cause === null || this.#cause.message === reason) return reason;
    return `${reason} The ring broke before that: ${this.#cause.message}`;
  }

  /** It is back, or nobody wants it back. */
  end(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    this.#cause = null;
    this.#brokeAt = null;
    this.#tries = 0;
  }
}
