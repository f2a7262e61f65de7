import { ROW_BYTES, ROW_OUTPUT } from "../native/bindings.js";

/** One micro-batch that a stage computed. */
export interface ComputedPass {
  readonly rows: number;
  /** Rows whose output is wanted. */
  readonly outputs: number;
  /** Tokens that lay in the cache before the micro-batch, summed over its rows. */
  readonly cachedTokens: number;
  /** On the stage's threads. */
  readonly seconds: number;
}

/** What a stage computed so far. */
export interface ComputedPasses {
  /** Since it was loaded. */
  readonly count: number;
  /** The last of them, in order. */
  readonly lately: readonly ComputedPass[];
}

/** More than are computed between two looks at a busy stage are not kept. */
const MOST = 512;

/** The micro-batches that a stage computed lately. */
export class PassLog {
  readonly #passes: ComputedPass[] = [];
  #count = 0;

  /** @param rows as `encodeRows` writes them; without any nothing was computed */
  add(rows: Uint8Array, seconds: number): void {
    if (rows.byteLength < ROW_BYTES) return;
    this.#passes[this.#count % MOST] = { ...countsOf(rows), seconds };
    this.#count += 1;
  }

  snapshot(): ComputedPasses {
    const oldest = this.#count % MOST;
    const inOrder =
      this.#count < MOST ? this.#passes : [...this.#passes.slice(oldest), ...this.#passes.slice(0, oldest)];
    return { count: this.#count, lately: [...inOrder] };
  }
}

/** What was computed between two looks, as far as it is kept. */
export function passesSince({ count, lately }: ComputedPasses, before: ComputedPasses | null): readonly ComputedPass[] {
  const fresh = Math.min(lately.length, count - (before?.count ?? 0));
  return fresh <= 0 ? [] : lately.slice(-fresh);
}

/** The first row of a sequence tells how many tokens of it are there already. */
function countsOf(rows: Uint8Array): Omit<ComputedPass, "seconds"> {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  const firstPositions = new Map<number, number>();
  let [count, outputs, cachedTokens] = [0, 0, 0];
  for (let at = 0; at + ROW_BYTES <= rows.byteLength; at += ROW_BYTES) {
    const sequence = view.getUint16(at, true);
    const first = firstPositions.get(sequence) ?? Math.max(0, view.getInt32(at + 4, true));
    firstPositions.set(sequence, first);
    count += 1;
    outputs += (view.getUint16(at + 2, true) & ROW_OUTPUT) === 0 ? 0 : 1;
    cachedTokens += first;
  }
  return { rows: count, outputs, cachedTokens };
}
