import { ROW_BYTES } from "../native/bindings.js";

/** What a stage computed in micro-batches of about the same size. */
export interface RowClassWork {
  readonly microBatches: number;
  readonly rows: number;
  /** Tokens that lay in the cache before the micro-batch, summed over its rows. */
  readonly cachedTokens: number;
  readonly computeSeconds: number;
}

const NONE: RowClassWork = { microBatches: 0, rows: 0, cachedTokens: 0, computeSeconds: 0 };

/** Upper ends of the classes; what is larger is in the last. */
const CLASSES = [1, 2, 4, 8, 16, 32, 64, 128, 256, Number.POSITIVE_INFINITY];

/** Sums of a stage's work, by rows in a micro-batch. They only grow. */
export class WorkByRows {
  readonly #classes = CLASSES.map(() => NONE);

  /** @param rows as `encodeRows` writes them */
  add(rows: Uint8Array, computeSeconds: number): void {
    const count = rows.byteLength / ROW_BYTES;
    if (count === 0) return;
    const index = CLASSES.findIndex((most) => count <= most);
    const before = this.#classes[index] ?? NONE;
    this.#classes[index] = {
      microBatches: before.microBatches + 1,
      rows: before.rows + count,
      cachedTokens: before.cachedTokens + cachedTokensOf(rows),
      computeSeconds: before.computeSeconds + computeSeconds,
    };
  }

  /** By class. */
  snapshot(): readonly RowClassWork[] {
    return [...this.#classes];
  }
}

/** What was done between two snapshots. */
export function workSince(now: readonly RowClassWork[], before: readonly RowClassWork[]): readonly RowClassWork[] {
  return now.map((work, index) => {
    const { microBatches, rows, cachedTokens, computeSeconds } = before[index] ?? NONE;
    return {
      microBatches: work.microBatches - microBatches,
      rows: work.rows - rows,
      cachedTokens: work.cachedTokens - cachedTokens,
      computeSeconds: work.computeSeconds - computeSeconds,
    };
  });
}

/** The first row of a sequence tells how many tokens of it are there already. */
function cachedTokensOf(rows: Uint8Array): number {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  const firstPositions = new Map<number, number>();
  let sum = 0;
  for (let at = 0; at < rows.byteLength; at += ROW_BYTES) {
    const sequence = view.getUint16(at, true);
    let first = firstPositions.get(sequence);
    if (first === undefined) {
      first = Math.max(0, view.getInt32(at + 4, true));
      firstPositions.set(sequence, first);
    }
    sum += first;
  }
  return sum;
}
