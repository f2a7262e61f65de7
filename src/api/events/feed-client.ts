import type { SseStream } from "../sse.js";

/**
 * One reader of the events. It gets the newest of each kind when it is ready for it: what came between is left out, so a
 * slow reader skips to the present and never makes anything pile up.
 */
export class FeedClient {
  readonly #waiting = new Map<string, unknown>();
  #wake: () => void = () => {};

  offer(event: string, data: unknown): void {
    this.#waiting.set(event, data);
    this.#wake();
  }

  /** Sends what is offered until the signal aborts. Rejects with `cancelled` when the reader is gone. */
  async serve(stream: Pick<SseStream, "send">, signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#wake();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const [next] = this.#waiting;
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else {
          this.#waiting.delete(next[0]);
          await stream.send(next[1], next[0]);
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}
