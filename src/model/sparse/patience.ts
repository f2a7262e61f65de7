import { ExoError } from "../../core/errors.js";
import type { DownloadIo } from "../download-io.js";
import { PassingTrouble, RangesIgnored, SourceChanged } from "./http-ranges.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** How long a server with passing troubles is asked again: each byte that comes makes it patient anew. */
export class Patience {
  readonly #what: string;
  readonly #io: DownloadIo;
  readonly #tries: number;
  readonly #onRetry: (reason: string, pauseMilliseconds: number) => void;
  #setbacks = 0;

  constructor(
    what: string,
    io: DownloadIo,
    onRetry: (reason: string, pause: number) => void,
    tries = io.fruitlessTries,
  ) {
    this.#what = what;
    this.#io = io;
    this.#onRetry = onRetry;
    this.#tries = tries;
  }

  progress(): void {
    this.#setbacks = 0;
  }

  /** Waits before another try; throws what is no passing trouble, and `download_failed` after too many. */
  async after(thrown: unknown, signal: AbortSignal): Promise<void> {
    if (!(thrown instanceof PassingTrouble)) throw thrown;
    this.#setbacks += 1;
    if (this.#setbacks >= this.#tries) {
      const tries = this.#setbacks === 1 ? "" : `, and ${this.#setbacks} tries did not help`;
      throw new ExoError("download_failed", `${this.#what} cannot be fetched: ${thrown.message}${tries}.`, {
        cause: thrown,
      });
    }
    const growing = FIRST_PAUSE_MS * 2 ** (this.#setbacks - 1);
    const pause = Math.min(thrown.pauseMilliseconds ?? growing, LONGEST_PAUSE_MS);
    this.#onRetry(thrown.message, pause);
    await this.#io.sleep(pause, signal).catch(() => {});
    if (signal.aborted) throw new ExoError("cancelled", `The download of ${this.#what} was cancelled.`);
  }
}

/** Nothing that came before, or from others, makes these good. */
export function isFatal(thrown: unknown): boolean {
  if (thrown instanceof SourceChanged || thrown instanceof RangesIgnored) return true;
  return thrown instanceof ExoError && (thrown.code === "disk_full" || thrown.code === "cancelled");
}
