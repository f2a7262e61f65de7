import type { EventEmitter } from "node:events";

/** A second Ctrl-C counts only after this: npm passes a Ctrl-C on that the terminal has already sent. Milliseconds. */
const SAME_KEYPRESS = 1000;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Turns the first Ctrl-C (or termination, or the end of the process that started this one) into an aborted signal, and
 * a second one into an immediate end.
 */
export class StopRequest {
  readonly #process: EventEmitter;
  readonly #abort = new AbortController();
  readonly #now: () => number;
  readonly #force: () => void;
  readonly #listener = (): void => this.request();
  #firstAt = 0;

  constructor(process: EventEmitter, now: () => number, force: () => void) {
    this.#process = process;
    this.#now = now;
    this.#force = force;
    for (const name of [...SIGNALS, "disconnect"]) process.on(name, this.#listener);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when a stop is asked for. */
  async wait(): Promise<void> {
    if (this.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** Lets signals do again what they usually do. */
  release(): void {
    for (const name of [...SIGNALS, "disconnect"]) this.#process.off(name, this.#listener);
  }

  /** What a signal does: asks to stop, or, asked again, forces the end. */
  request(): void {
    if (!this.signal.aborted) {
      this.#firstAt = this.#now();
      this.#abort.abort();
    } else if (this.#now() - this.#firstAt > SAME_KEYPRESS) {
      this.#force();
    }
  }
}
