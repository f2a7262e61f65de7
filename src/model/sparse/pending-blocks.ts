import type { BlockRun } from "./blocks.js";

/** Blocks that somebody still has to fetch. Whoever takes some brings them or gives them back. */
export class PendingBlocks {
  readonly #blocks: Set<number>;
  #taken = 0;
  #wake: (() => void)[] = [];

  constructor(blocks: Iterable<number>) {
    this.#blocks = new Set(blocks);
  }

  get size(): number {
    return this.#blocks.size;
  }

  /** Runs that are being fetched now, and may come back. */
  get underWay(): number {
    return this.#taken;
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  /** The first run of at most so many blocks that pass. */
  take(most: number, passes: (block: number) => boolean): BlockRun | null {
    let first: number | null = null;
    let count = 0;
    for (const block of [...this.#blocks].sort((a, b) => a - b)) {
      if (first === null) {
        if (passes(block)) [first, count] = [block, 1];
      } else if (block === first + count && count < most && passes(block)) {
        count += 1;
      } else {
        break;
      }
    }
    if (first === null) return null;
    for (let block = first; block < first + count; block++) this.#blocks.delete(block);
    this.#taken += 1;
    return { first, count };
  }

  /** A run that was taken is done with, but for these blocks. */
  done(left: Iterable<number>): void {
    this.#taken -= 1;
    this.add(left);
  }

  add(blocks: Iterable<number>): void {
    for (const block of blocks) this.#blocks.add(block);
    this.changed();
  }

  /** Whoever waits looks again. */
  changed(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake.push(resolve);
    });
  }
}
