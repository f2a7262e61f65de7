interface Measured {
  readonly seconds: readonly number[];
  readonly median: number;
  /** Which record the last one was. */
  readonly recordedAt: number;
}

const MOST_SAMPLES = 5;
/** Sizes kept, the last ones seen: prompts come in all sizes. */
const MOST_SIZES = 48;
/** Records after which a time is no longer believed, so that the number of rows is tried again. */
const FORGET_AFTER = 1000;
/** Beyond the largest pass seen, a row is taken to cost this part of what the rows so far cost. */
const UNSEEN_ROW = 0.5;

/** What a pass of so many rows costs on the threads of all stages together, as lately measured. */
export class PassTimes {
  readonly #measured = new Map<number, Measured>();
  #records = 0;

  record(rows: number, seconds: number): void {
    this.#records += 1;
    const before = this.#measured.get(rows)?.seconds ?? [];
    const latest = [...before, seconds].slice(-MOST_SAMPLES);
    // A map lists its keys in the order in which they were set: the first is the one not seen for longest.
    this.#measured.delete(rows);
    this.#measured.set(rows, { seconds: latest, median: median(latest), recordedAt: this.#records });
    const [oldest] = this.#measured.keys();
    if (this.#measured.size > MOST_SIZES && oldest !== undefined) this.#measured.delete(oldest);
  }

  /** Passes of this size were measured lately. */
  knows(rows: number): boolean {
    return this.#fresh(rows) !== null;
  }

  /**
   * Seconds, or `null` before anything was measured. Sizes never tried lie on the line between their neighbours, which
   * is about the least that they can cost: so they are tried when that would pay, and then known.
   */
  expected(rows: number): number | null {
    const own = this.#fresh(rows);
    if (own !== null) return own;
    const below = this.#nearest((size) => size < rows, Math.max);
    const above = this.#nearest((size) => size > rows, Math.min);
    if (below === null) return above?.seconds ?? null;
    if (above === null) return below.seconds * (1 + UNSEEN_ROW * (rows / below.rows - 1));
    const share = (rows - below.rows) / (above.rows - below.rows);
    return below.seconds + share * Math.max(0, above.seconds - below.seconds);
  }

  #nearest(
    fits: (rows: number) => boolean,
    pick: (...rows: number[]) => number,
  ): { readonly rows: number; readonly seconds: number } | null {
    const sizes = [...this.#measured.keys()].filter((size) => fits(size) && this.knows(size));
    if (sizes.length === 0) return null;
    const rows = pick(...sizes);
    return { rows, seconds: this.#fresh(rows) ?? 0 };
  }

  #fresh(rows: number): number | null {
    const known = this.#measured.get(rows);
    return known === undefined || this.#records - known.recordedAt > FORGET_AFTER ? null : known.median;
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
