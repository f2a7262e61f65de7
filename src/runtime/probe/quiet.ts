import { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import { pause } from "../../core/waiting.js";

/** What a node is doing now. */
export interface Activity {
  /** It answers, loads or computes. */
  readonly busy: boolean;
  /** Rises with every micro-batch that it computed. */
  readonly microBatches: number;
}

export interface QuietOptions {
  readonly activity: () => Activity;
  readonly clock: Clock;
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Between two looks; a stream gives a token more often. */
const LOOK_MS = 250;
/** A node that is not idle for a moment within this time is not measured. */
const PATIENCE_MS = 20_000;

/** Waits for moments in which the node has nothing else to do: what is measured then is not disturbed, and disturbs nobody. */
export class Quiet {
  readonly #options: QuietOptions;

  constructor(options: QuietOptions) {
    this.#options = options;
  }

  /** Resolves when the node was idle from one look to the next; rejects `not_ready` when that does not happen. */
  async wait(signal: AbortSignal): Promise<void> {
    const { clock, sleep = pause } = this.#options;
    const deadline = clock.monotonic() + PATIENCE_MS;
    for (;;) {
      if (signal.aborted) throw new ExoError("cancelled", "Measuring was cancelled.");
      const stillIdle = this.watch();
      await sleep(LOOK_MS, signal);
      if (stillIdle()) return;
      if (clock.monotonic() >= deadline) throw answering();
    }
  }

  /** It has something else to do now. */
  get busy(): boolean {
    return this.#options.activity().busy;
  }

  /** A check whether nothing was computed since the call, and nothing is now. */
  watch(): () => boolean {
    const { activity } = this.#options;
    const before = activity();
    return () => {
      const now = activity();
      return !before.busy && !now.busy && now.microBatches === before.microBatches;
    };
  }
}

/** The probe makes way; it may begin again later. */
export function answering(): ExoError {
  return new ExoError("not_ready", "This node is answering or loading; it is measured when it is idle.");
}
