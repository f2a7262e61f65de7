import { setImmediate as endOfTurn } from "node:timers/promises";
import type { Clock } from "../../src/core/ports.js";
import { EventQueue } from "./event-queue.js";

/**
 * Time that jumps from event to event. Code that waits for promises takes part: all that follows from an event without
 * time passing is done before the next event happens, so the same events give the same run.
 */
export class VirtualTime {
  readonly clock: Clock = { monotonic: () => this.#now * 1000, wall: () => this.#now * 1000 };
  readonly #events = new EventQueue();
  #now = 0;

  /** Seconds. */
  get now(): number {
    return this.#now;
  }

  after(seconds: number, happen: () => void): void {
    if (!(seconds >= 0)) throw new RangeError(`Expected a time that passes forwards, received ${seconds} s.`);
    this.#events.add(this.#now + seconds, happen);
  }

  /** A promise that is fulfilled after so many seconds. */
  pass(seconds: number): Promise<void> {
    return new Promise((resolve) => this.after(seconds, resolve));
  }

  /** Lets time pass until the work is done. Rejects when nothing is left that could end it. */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    const end = new Ending(work);
    for (;;) {
      await endOfTurn();
      if (end.reached) return work;
      const event = this.#events.take();
      if (event === null) throw new Error("Nothing is left to happen, but the simulated work has not ended.");
      this.#now = event.at;
      event.happen();
    }
  }
}

/** Whether a promise is settled. */
class Ending {
  reached = false;

  constructor(work: Promise<unknown>) {
    const reach = (): void => {
      this.reached = true;
    };
    work.then(reach, reach);
  }
}
