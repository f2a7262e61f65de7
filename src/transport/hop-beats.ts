import { Attention } from "../core/attention.js";
import type { Clock } from "../core/ports.js";

export interface HopBeatsOptions {
  /** As the receiver promised. */
  readonly beatMs: number;
  readonly clock: Clock;
  /** By this clock, when the node was last asked something elsewhere that it answered; `null`: never. */
  readonly wellAt: () => number | null;
  readonly onSilent: () => void;
}

/** Looks in the time between two beats. */
const LOOKS = 5;
/** In times of a beat: none came for so long, although the node was well when at least one was due. */
const LEAST_LATE = 2.3;
/** The node may be as slow everywhere. */
const MOST_LATE = 10;

/**
 * Listens for the beats of a hop's receiver: small replies that come also while no frame goes. A node whose event loop is kept
 * gives none for a while, and answers nowhere else either. One that answers questions asked after a beat was due has
 * sent it, so the connection that it did not come by is dead.
 */
export class HopBeats {
  readonly #options: HopBeatsOptions;
  readonly #attention: Attention;
  readonly #timer: NodeJS.Timeout;
  /** By the clock, and in time that was listened. */
  #heardAt: number;
  #heardListening: number;

  constructor(options: HopBeatsOptions) {
    const { beatMs, clock } = options;
    this.#options = options;
    this.#attention = new Attention(clock, beatMs / LOOKS);
    this.#heardAt = clock.monotonic();
    this.#heardListening = this.#attention.listened();
    this.#timer = setInterval(() => this.#look(), beatMs / LOOKS).unref();
  }

  heard(): void {
    this.#heardAt = this.#options.clock.monotonic();
    this.#heardListening = this.#attention.listened();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { beatMs, onSilent } = this.#options;
    const quiet = (this.#attention.look() - this.#heardListening) / beatMs;
    if (quiet >= MOST_LATE || (quiet >= LEAST_LATE && this.#nodeIsWell())) onSilent();
  }

  /** A single beat may be lost on the way and sent again. */
  #nodeIsWell(): boolean {
    const { beatMs, wellAt } = this.#options;
    const at = wellAt();
    return at !== null && at >= this.#heardAt + 2 * beatMs;
  }
}
