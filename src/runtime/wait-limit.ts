import { ExoError } from "../core/errors.js";
import { timeLimit } from "../core/waiting.js";

/**
 * Does work that may have to wait for something, with a signal that aborts when the caller's does, and after so long; then
 * it rejects with `not_ready` and the words given.
 */
export async function waitAtMost<Result>(
  { milliseconds, signal, otherwise }: WaitLimit,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limit = timeLimit(milliseconds, signal);
  try {
    return await work(limit.signal);
  } catch (thrown) {
    if (!limit.isOver() || signal.aborted) throw thrown;
    throw new ExoError("not_ready", otherwise(), { cause: thrown });
  } finally {
    limit.end();
  }
}

export interface WaitLimit {
  readonly milliseconds: number;
  readonly signal: AbortSignal;
  /** What to say when it took longer. */
  readonly otherwise: () => string;
}
