import { ExoError } from "../core/errors.js";

/**
 * Does work that may have to wait for something, with a signal that aborts when the caller's does, and after so long; then
 * it rejects with `not_ready` and the words given.
 */
export async function waitAtMost<Result>(
  { milliseconds, signal, otherwise }: WaitLimit,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(), milliseconds);
  try {
    return await work(AbortSignal.any([signal, tooLong.signal]));
  } catch (thrown) {
    if (!tooLong.signal.aborted || signal.aborted) throw thrown;
    throw new ExoError("not_ready", otherwise(), { cause: thrown });
  } finally {
    clearTimeout(timer);
  }
}

export interface WaitLimit {
  readonly milliseconds: number;
  readonly signal: AbortSignal;
  /** What to say when it took longer. */
  readonly otherwise: () => string;
}
