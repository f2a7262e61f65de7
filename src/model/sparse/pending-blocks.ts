import type { BlockRun } from "./blocks.js";

/**
 * Blocks that somebody still has to fetch. Workers take some, and bring them or give them back. It is over when every
 * worker finds nothing that it could take.
 */
export class PendingBlocks {
  readonly #blocks: Set<number>;
  #workers = 0;
  #over = false;
  #waiting: (() => void)[] = [];

  constructor(blocks: Iterable<number>) {
    this.#blocks = new Set(blocks);
  }

  get size(): number {
    return this.#blocks.size;
  }

  /** So many workers begin, before the first of them takes anything. */
  begin(workers: number): void {
    this.#workers = workers;
    this.#over = false;
  }

  /** One of them ends. */
  leave(): void {
    this.#workers -= 1;
    this.#endWhenAllWait();
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
    return { first, count };
  }

  /** These are to be fetched, again perhaps. */
  add(blocks: Iterable<number>): void {
    for (const block of blocks) this.#blocks.add(block);
    this.changed();
  }

  /** Whoever waits looks again. */
  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** For a worker that finds nothing: `true` when it is worth another look, `false` when it is over. */
  async wait(): Promise<boolean> {
    const woken = new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    this.#endWhenAllWait();
    await woken;
    return !this.#over;
  }

  #endWhenAllWait(): void {
    if (this.#waiting.length < this.#workers) return;
    this.#over = true;
    this.changed();
  }
}
