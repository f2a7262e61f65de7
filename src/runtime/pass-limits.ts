/** How much longer than the slowest of its kind a micro-batch may take: memory that was swapped out, a context that grew. */
const MARGIN = 10;
/** The first micro-batches read the weights from the disk, or compile kernels: in times of the least. */
const MOST = 4;

/**
 * What a micro-batch of a stage may take before its thread counts as hung, by what others took. Seconds; by powers of two of
 * rows, since reading the weights costs the same for few rows, and computing grows with them.
 */
export class PassLimits {
  readonly #leastSeconds: number;
  /** The slowest with fewer than 2^(index + 1) rows, and no fewer than half as many. */
  readonly #slowest: number[] = [];

  constructor(leastSeconds: number) {
    this.#leastSeconds = leastSeconds;
  }

  /** No limit is longer. */
  get mostSeconds(): number {
    return MOST * this.#leastSeconds;
  }

  add(rows: number, seconds: number): void {
    const index = sizeOf(rows);
    this.#slowest[index] = Math.max(this.#slowest[index] ?? 0, seconds);
  }

  of(rows: number): number {
    const expected = this.#expected(sizeOf(rows));
    if (expected === null) return this.mostSeconds;
    return Math.min(this.mostSeconds, Math.max(this.#leastSeconds, MARGIN * expected));
  }

  /** As much as one with as many rows or more took; else as one with fewer took, each row as long as there. */
  #expected(size: number): number | null {
    const larger = this.#slowest.slice(size).find((seconds) => seconds !== undefined);
    if (larger !== undefined) return larger;
    for (let smaller = size - 1; smaller >= 0; smaller -= 1) {
      const seconds = this.#slowest[smaller];
      if (seconds !== undefined) return seconds * 2 ** (size - smaller);
    }
    return null;
  }
}

function sizeOf(rows: number): number {
  return Math.floor(Math.log2(Math.max(1, rows)));
}
