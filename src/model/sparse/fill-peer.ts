import type { BlockRun } from "./blocks.js";
import type { RangeSource } from "./range-source.js";

/** Failures in a row after which a peer is not asked any more. */
const MOST_FAILURES = 3;

/** A peer that has blocks of the file that is being filled. */
export class FillPeer {
  readonly source: RangeSource;
  readonly #fileId: string;
  readonly #blocks: ReadonlySet<number>;
  /** Blocks that this peer gave and that were not compared with the hub. */
  readonly given = new Set<number>();
  #failures = 0;
  #fault: string | null = null;

  constructor(source: RangeSource, fileId: string, blocks: ReadonlySet<number>) {
    this.source = source;
    this.#fileId = fileId;
    this.#blocks = blocks;
  }

  get name(): string {
    return this.source.name;
  }

  /** Neither lost nor found out. */
  get usable(): boolean {
    return this.#fault === null && this.#failures < MOST_FAILURES;
  }

  /** It gave something wrong. */
  get isFoundOut(): boolean {
    return this.#fault !== null;
  }

  get failures(): number {
    return this.#failures;
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  hasAll({ first, count }: BlockRun): boolean {
    for (let block = first; block < first + count; block++) if (!this.#blocks.has(block)) return false;
    return true;
  }

  worked(): void {
    this.#failures = 0;
  }

  failed(): void {
    this.#failures += 1;
  }

  /** Nothing more is taken from it; `false` when that was so already. */
  foundOut(fault: string): boolean {
    if (this.#fault !== null) return false;
    this.#fault = fault;
    return true;
  }

  fetch(begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.source.fetchRange(this.#fileId, begin, end, signal);
  }

  /** Tells it that a block which it gave was wrong, so that it looks at its own disk; its answer changes nothing here. */
  async report(block: number, signal: AbortSignal): Promise<void> {
    await this.source.hashes(this.#fileId, { first: block, count: 1 }, signal, true).catch(() => {});
  }

  /** By block. Throws when it does not answer with one for each. */
  async hashes(run: BlockRun, signal: AbortSignal): Promise<ReadonlyMap<number, Buffer>> {
    const all = await this.source.hashes(this.#fileId, run, signal);
    if (all.length !== run.count || all.some((hash) => hash.length !== 32)) {
      throw new Error(`it gave ${all.length} hashes for ${run.count} blocks`);
    }
    return new Map(all.map((hash, index) => [run.first + index, hash]));
  }
}
