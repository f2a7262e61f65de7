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
