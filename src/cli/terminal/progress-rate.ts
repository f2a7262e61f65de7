/** Older samples say little about how fast things go now. Milliseconds. */
const WINDOW = 8000;

interface Sample {
  readonly at: number;
  readonly done: number;
}

/** How fast something goes lately, from what was done at what time. */
export class ProgressRate {
  readonly #now: () => number;
  #samples: Sample[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Units per second over the window; `null` until that can be said. */
  update(done: number): number | null {
    const at = this.#now();
    const last = this.#samples.at(-1);
    if (last !== undefined && done < last.done) this.#samples = [];
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > WINDOW) this.#samples.shift();
    const first = this.#samples[0] ?? { at, done };
    const seconds = (at - first.at) / 1000;
    return seconds < 0.5 || done === first.done ? null : (done - first.done) / seconds;
  }
}
