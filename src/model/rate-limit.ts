import type { DownloadIo } from "./download-io.js";

/** Lets bytes through at a rate; everybody who shares it shares the rate. */
export class RateLimiter {
  readonly #bytesPerSecond: number | null;
  readonly #io: Pick<DownloadIo, "clock" | "sleep">;
  #freeAt = 0;

  /** @param bytesPerSecond `null`: no limit */
  constructor(bytesPerSecond: number | null, io: Pick<DownloadIo, "clock" | "sleep">) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#io = io;
  }

  /** Resolves when so many more bytes may go, or early when the signal aborts. `waiting` is called about once a second. */
  async take(bytes: number, signal: AbortSignal, waiting: () => void = () => {}): Promise<void> {
    if (this.#bytesPerSecond === null) return;
    const { clock, sleep } = this.#io;
    const start = Math.max(clock.monotonic(), this.#freeAt);
    this.#freeAt = start + (bytes / this.#bytesPerSecond) * 1000;
    for (let left = start - clock.monotonic(); left > 0 && !signal.aborted; left = start - clock.monotonic()) {
      waiting();
      await sleep(Math.min(left, 1000), signal).catch(() => {});
    }
    waiting();
  }
}
