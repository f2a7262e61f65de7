import type { Clock } from "../core/ports.js";

/** How far a model is from being ready. Bytes; `total` is `null` while nobody has said it. */
export interface ModelProgress {
  /** `waiting`: another process on this machine fetches the same model, and these are its numbers. */
  readonly phase: "waiting" | "downloading" | "verifying";
  readonly received: number;
  readonly total: number | null;
  readonly bytesPerSecond: number;
  /** Whom it comes from, where there may be several. */
  readonly sources?: readonly DownloadSource[];
}

/** Somebody whom bytes of a model come from. */
export interface DownloadSource {
  /** A node's name, or `hub`. */
  readonly name: string;
  readonly received: number;
  /** Why it is not asked any more, or `null`. */
  readonly fault: string | null;
}

export type ProgressListener = (progress: ModelProgress) => void;

/** 0…1; 0 while the size is not known. */
export function fractionOf({ received, total }: ModelProgress): number {
  return total === null || total === 0 ? 0 : Math.min(1, received / total);
}

const REPORT_EVERY_MS = 200;
/** Half the weight of the speed shown comes from the last so many milliseconds. */
const HALF_LIFE_MS = 2000;

/** Turns the byte counts of one or more files into reports: a few per second, with a smoothed speed. */
export class ProgressMeter {
  readonly #clock: Clock;
  readonly #listener: ProgressListener;
  readonly #totals: (number | null)[];
  readonly #positions: number[];
  #received = 0;
  #reportedBytes = 0;
  #reportedAt: number;
  #speed: number | null = null;

  /** `totals`: size of each file, where it is known beforehand. */
  constructor(clock: Clock, totals: readonly (number | null)[], listener: ProgressListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#totals = [...totals];
    this.#positions = totals.map(() => 0);
    this.#reportedAt = clock.monotonic();
  }

  /** The file now stands at this byte, however it came there; that does not count for the speed. */
  start(file: number, from: number, total: number | null): void {
    const jump = from - (this.#positions[file] ?? 0);
    this.#positions[file] = from;
    this.#totals[file] = total ?? this.#totals[file] ?? null;
    this.#received += jump;
    this.#reportedBytes += jump;
    this.#emit("downloading");
  }

  add(file: number, bytes: number, phase: ModelProgress["phase"] = "downloading"): void {
    this.#positions[file] = (this.#positions[file] ?? 0) + bytes;
    this.#received += bytes;
    if (this.#clock.monotonic() - this.#reportedAt >= REPORT_EVERY_MS) this.report(phase);
  }

  report(phase: ModelProgress["phase"]): void {
    const now = this.#clock.monotonic();
    const elapsed = now - this.#reportedAt;
    if (elapsed > 0) {
      const current = ((this.#received - this.#reportedBytes) / elapsed) * 1000;
      const weight = this.#speed === null ? 1 : 1 - 0.5 ** (elapsed / HALF_LIFE_MS);
      this.#speed = (this.#speed ?? 0) * (1 - weight) + current * weight;
    }
    this.#reportedAt = now;
    this.#reportedBytes = this.#received;
    this.#emit(phase);
  }

  #emit(phase: ModelProgress["phase"]): void {
    const bytesPerSecond = Math.round(this.#speed ?? 0);
    this.#listener({ phase, received: this.#received, total: this.#total(), bytesPerSecond });
  }

  #total(): number | null {
    return this.#totals.reduce<number | null>((sum, total) => (sum === null || total === null ? null : sum + total), 0);
  }
}
