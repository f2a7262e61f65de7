import type { Clock } from "../../src/core/ports.js";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Time that passes when a test says so. */
export class ManualTime implements Clock {
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now;
  }

  readonly sleep = (milliseconds: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      const wake = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper: Sleeper = { at: this.#now + milliseconds, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", abort, { once: true });
    });

  /** Milliseconds until each sleeper wakes. */
  pending(): readonly number[] {
    return [...this.#sleepers].map(({ at }) => at - this.#now);
  }

  /** Wakes all whose time comes, in order, and lets what follows happen. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settled();
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#sleepers.delete(next);
      next.wake();
      await settled();
    }
    this.#now = end;
  }

  #next(end: number): Sleeper | null {
    const due = [...this.#sleepers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
    return due[0] ?? null;
  }
}

/** Lets promises that can go on do so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
