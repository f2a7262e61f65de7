/** Tells whoever waits that something is different now. */
export class Changes {
  readonly #listeners = new Set<() => void>();

  notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Returns the way to unsubscribe. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with the next change, or when the signal aborts; never rejects. */
  next(signal: AbortSignal): Promise<void> {
    return nextOf((listener) => this.subscribe(listener), signal);
  }
}

/** Resolves when the listener is called for the first time, or when the signal aborts; never rejects. */
export function nextOf(subscribe: (listener: () => void) => () => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      unsubscribe();
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const unsubscribe = subscribe(wake);
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
  });
}
