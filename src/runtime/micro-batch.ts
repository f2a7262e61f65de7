import { encodeKvOperations, encodeRows, type KvOperation, type Row } from "../native/micro-batch.js";
import type { SampleRequest } from "../native/stage.js";

/**
 * Rows that go round the ring together. Every stage applies the KV operations in order and then computes the rows;
 * the head samples the rows named in `samples`.
 */
export interface RingBatch {
  /** As `encodeRows` writes them. */
  readonly rows: Uint8Array;
  readonly rowCount: number;
  /** As `encodeKvOperations` writes them. */
  readonly kvOperations: Int32Array;
  readonly samples: readonly SampleRequest[];
  /** The hidden states of the rows that are wanted are, summed for each sequence; then there are no samples. */
  readonly pooled: boolean;
}

export interface SequenceCopy {
  readonly sequence: number;
  readonly destination: number;
}

/** Collects the rows of one micro-batch, up to its size. */
export class RingBatchBuilder {
  readonly #capacity: number;
  readonly #rows: Row[] = [];
  readonly #kvOperations: KvOperation[] = [];
  readonly #samples: SampleRequest[] = [];
  #pooled = false;

  /** @param capacity rows at most */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get rowsLeft(): number {
    return this.#capacity - this.#rows.length;
  }

  get hasRows(): boolean {
    return this.#rows.length > 0;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0 && this.#kvOperations.length === 0;
  }

  /** Adds a token at a position of a sequence; `sample` asks for the token that follows it. */
  addRow(sequence: number, position: number, token: number, sample: Omit<SampleRequest, "row"> | null): void {
    if (sample !== null) this.#samples.push({ row: this.#rows.length, ...sample });
    this.#rows.push({ sequence, position, token, output: sample !== null });
  }

  /** Adds a token of a text that is to be embedded; a micro-batch has either such rows or others. */
  addTextRow(sequence: number, position: number, token: number, output: boolean): void {
    this.#pooled = true;
    this.#rows.push({ sequence, position, token, output });
  }

  /** Adds drafted tokens behind a row that was just added with a sample: they are sampled too, as far as they are right. */
  addDraft(sequence: number, position: number, tokens: readonly number[]): void {
    const sample = this.#samples.pop();
    if (sample === undefined) return;
    this.#samples.push({ ...sample, drafted: tokens.length });
    for (const [offset, token] of tokens.entries()) {
      this.#rows.push({ sequence, position: position + offset, token, output: true });
    }
  }

  addKvOperation(operation: KvOperation): void {
    this.#kvOperations.push(operation);
  }

  /** The copies among the KV operations, in their order. */
  get copies(): readonly SequenceCopy[] {
    return this.#kvOperations.filter((operation) => operation.op === "copy");
  }

  build(): RingBatch {
    return {
      rows: encodeRows(this.#rows),
      rowCount: this.#rows.length,
      kvOperations: encodeKvOperations(this.#kvOperations),
      samples: this.#samples,
      pooled: this.#pooled,
    };
  }
}
