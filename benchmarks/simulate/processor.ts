import type { VirtualTime } from "./virtual-time.js";

interface Job {
  /** Seconds that it still needs when it has the processor for itself. */
  left: number;
  readonly done: () => void;
}

/**
 * One node's means of computing. Each lane works on its jobs in order, one at a time; lanes that have work at the same
 * moment share the processor evenly, as threads on a core or kernels on a GPU do. The head has two lanes: its layers, and
 * the output head.
 */
export class Processor {
  readonly #time: VirtualTime;
  readonly #lanes = new Map<string, Job[]>();
  #changedAt = 0;
  #version = 0;
  #busySeconds = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Seconds during which something was computed, until now. */
  get busySeconds(): number {
    this.#advance();
    return this.#busySeconds;
  }

  /** Fulfilled when the lane has done what it had before, and then this. */
  async compute(lane: string, seconds: number): Promise<void> {
    await new Promise<void>((done) => {
      this.#advance();
      const jobs = this.#lanes.get(lane) ?? [];
      this.#lanes.set(lane, jobs);
      jobs.push({ left: seconds, done });
      this.#plan();
    });
  }

  #running(): readonly Job[] {
    return [...this.#lanes.values()].flatMap((jobs) => jobs.slice(0, 1));
  }

  /** Takes the time since the last change off what is running. */
  #advance(): void {
    const passed = this.#time.now - this.#changedAt;
    this.#changedAt = this.#time.now;
    const running = this.#running();
    if (running.length > 0) this.#busySeconds += passed;
    for (const job of running) job.left -= passed / running.length;
  }

  /** Looks again when the next job will be done, unless something changes before. */
  #plan(): void {
    const version = ++this.#version;
    const running = this.#running();
    if (running.length === 0) return;
    const next = Math.max(0, Math.min(...running.map(({ left }) => left))) * running.length;
    this.#time.after(next, () => {
      if (version === this.#version) this.#finish(running);
    });
  }

  #finish(running: readonly Job[]): void {
    this.#advance();
    const least = Math.min(...running.map(({ left }) => left));
    const done: Job[] = [];
    // Not "left <= 0": rounding may leave a little, and then time would pass without end.
    for (const jobs of this.#lanes.values())
      if (jobs[0] !== undefined && jobs[0].left <= least) done.push(...jobs.splice(0, 1));
    for (const job of done) job.done();
    this.#plan();
  }
}
