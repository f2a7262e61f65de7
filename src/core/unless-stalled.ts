import { ExoError } from "./errors.js";

/**
 * The pieces of a stream, which rejects with `deadline_exceeded` when none comes for so long. Time in which nobody reads does
 * not count.
 */
export async function* unlessStalled<Piece>(
  open: (signal: AbortSignal) => AsyncIterable<Piece>,
  stallMilliseconds: number,
  outer: AbortSignal,
): AsyncGenerator<Piece, void, undefined> {
  const stalled = new AbortController();
  const pieces = open(AbortSignal.any([outer, stalled.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => stalled.abort(), stallMilliseconds);
      const next = await pieces.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } catch (thrown) {
    if (!stalled.signal.aborted) throw thrown;
    const seconds = stallMilliseconds / 1000;
    throw new ExoError("deadline_exceeded", `Nothing came for ${seconds} s.`, { cause: thrown });
  } finally {
    stalled.abort();
    await pieces.return?.();
  }
}
