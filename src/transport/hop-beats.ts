import { Attention } from "../core/attention.js";
import type { Clock } from "../core/ports.js";
import { Silence } from "../core/silence.js";

/** Looks in the time between two beats. */
const LOOKS = 5;
/** A beat may come so many times later than promised, and later than that where they come irregularly. */
const LEAST_LATE = 2.3;
const MOST_LATE = 10;

/**
 * Listens for the beats of a hop's receiver: small replies that come also while no frame goes. A connection whose other end
 * is gone without a word, or hangs, is noticed by them in about a second, although the node may be well on another way.
 */
export class HopBeats {
  readonly #attention: Attention;
  readonly #silence: Silence;
  readonly #timer: NodeJS.Timeout;

  constructor(beatMs: number, clock: Clock, onSilent: () => void) {
    this.#attention = new Attention(clock, beatMs / LOOKS);
    this.#silence = new Silence({ leastMs: LEAST_LATE * beatMs, mostMs: MOST_LATE * beatMs });
    this.#silence.asked(this.#attention.listened());
    this.#timer = setInterval(() => {
      if (this.#silence.judge(this.#attention.look())) onSilent();
    }, beatMs / LOOKS).unref();
  }

  heard(): void {
    const now = this.#attention.listened();
    this.#silence.answered(now);
    this.#silence.asked(now);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
