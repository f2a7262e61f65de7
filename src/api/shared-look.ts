import { ExoError } from "../core/errors.js";

/** Resolves when something has taken too long, or when the signal aborts. */
export type TimeLimit = (signal: AbortSignal) => Promise<void>;

/**
 * Work that is done once at a time: who asks meanwhile gets the same answer. It is waited for so long and no longer; what
 * goes on beyond that is not begun a second time, and who asks later gets its answer.
 */
export function sharedLook<Answer>(work: () => Promise<Answer>, timeLimit: TimeLimit): () => Promise<Answer> {
  let running: Promise<Answer> | null = null;
  return async () => {
    running ??= work().finally(() => {
      running = null;
    });
    const done = new AbortController();
    try {
      return await Promise.race([running, timeLimit(done.signal).then(tooLong)]);
    } finally {
      done.abort();
    }
  };
}

function tooLong(): never {
  throw new ExoError("deadline_exceeded", "The look at this machine takes too long; ask again in a minute.");
}
