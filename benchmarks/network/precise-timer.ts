import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** `due` while the timer is being closed. */
const CLOSED = -1n;

/**
 * Calls back at a time that is exact to well under a millisecond. `setTimeout` counts whole milliseconds and is up to one
 * late; spinning would take a processor from what is measured. So a thread sleeps, and wakes this one.
 */
export class PreciseTimer {
  readonly #thread: Worker;
  readonly #changes: Int32Array;
  readonly #due: BigInt64Array;

  constructor(onDue: () => void) {
    const state = new SharedArrayBuffer(16);
    this.#changes = new Int32Array(state, 0, 1);
    this.#due = new BigInt64Array(state, 8, 1);
    this.#thread = new Worker(new URL("./precise-timer-thread.js", import.meta.url), { workerData: { state } });
    this.#thread.on("message", onDue);
  }

  /** Milliseconds on the clock that `wakeAt` takes. */
  static now(): number {
    return performance.timeOrigin + performance.now();
  }

  /** Replaces what was set before. */
  wakeAt(milliseconds: number): void {
    this.#set(BigInt(Math.max(1, Math.round(milliseconds * 1000))));
  }

  async close(): Promise<void> {
    const ended = once(this.#thread, "exit");
    this.#set(CLOSED);
    await ended;
  }

  #set(due: bigint): void {
    Atomics.store(this.#due, 0, due);
    Atomics.add(this.#changes, 0, 1);
    Atomics.notify(this.#changes, 0);
  }
}
