/** Waits, but no longer than until the signal aborts; never rejects. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Waits for the promise to settle, but no longer than so long, or until the signal aborts; never rejects. */
export async function settledWithin(
  promise: Promise<unknown>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  promise.then(end, end);
  if (!signal.aborted) await pause(milliseconds, AbortSignal.any([signal, ended.signal]));
}

/** A signal with a time limit. */
export interface LimitedSignal {
  /** Aborts when the other one does, or when the time is over. */
  readonly signal: AbortSignal;
  isOver(): boolean;
  /** The limit is no longer needed. */
  end(): void;
}

/**
 * Not `AbortSignal.timeout` within `AbortSignal.any`: nothing holds that but the clock, and Node 20 collects it before its
 * time, so that it never aborts.
 */
export function timeLimit(milliseconds: number, signal: AbortSignal): LimitedSignal {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.ceil(milliseconds));
  return {
    signal: AbortSignal.any([signal, over.signal]),
    isOver: () => over.signal.aborted,
    end: () => clearTimeout(timer),
  };
}

/** What the promise resolves with, or `null` if that takes longer than so many milliseconds. Rejects as the promise does. */
export async function resolvedWithin<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
