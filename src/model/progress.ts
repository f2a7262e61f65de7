import type { Clock } from "../core/ports.js";

/** How far a model is from being ready. Bytes; `total` is `null` while nobody has said it. */
export interface ModelProgress {
  /** `waiting`: another process on this machine fetches the same model, and these are its numbers. */
  readonly phase: "waiting" | "downloading" | "verifying";
  readonly received: number;
  readonly total: number | null;
  readonly bytesPerSecond: number;
}

export type ProgressListener = (progress: ModelProgress) => void;

const REPORT_EVERY_MS = 200;
/** Half the weight of the speed shown comes from the last so many milliseconds. */
const HALF_LIFE_MS = 2000;

/** Turns byte counts into reports: a few per second, with a smoothed speed. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #listener: ProgressListener;
  #received = 0;
  #reportedBytes = 0;
  #reportedAt: number;
  #speed: number | null = null;

  constructor(clock: Clock, listener: ProgressListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#reportedAt = clock.monotonic();
  }

  /** Bytes that were there before, or are lost again (negative); they do not count for the speed. */
  adjust(bytes: number): void {
    this.#received += bytes;
    this.#reportedBytes += bytes;
  }

  add(bytes: number, phase: ModelProgress["phase"], total: number | null): void {
    this.#received += bytes;
    if (this.#clock.monotonic() - this.#reportedAt >= REPORT_EVERY_MS) this.report(phase, total);
  }

  report(phase: ModelProgress["phase"], total: number | null): void {
    const now = this.#clock.monotonic();
    const elapsed = now - this.#reportedAt;
    if (elapsed > 0) {
      const current = ((this.#received - this.#reportedBytes) / elapsed) * 1000;
      const weight = this.#speed === null ? 1 : 1 - 0.5 ** (elapsed / HALF_LIFE_MS);
      this.#speed = (this.#speed ?? 0) * (1 - weight) + current * weight;
    }
    this.#reportedAt = now;
    this.#reportedBytes = this.#received;
    this.#listener({ phase, received: this.#received, total, bytesPerSecond: Math.round(this.#speed ?? 0) });
  }
}
