import { once } from "node:events";
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { ExoError } from "../core/errors.js";

/** A response of status 200 that is sent piece by piece: what server-sent events and JSON lines have in common. */
export class StreamedResponse {
  readonly #response: ServerResponse;
  readonly #stalledMilliseconds: number;

  /**
   * Sends the headers; from here on a failure can only be told in the body.
   *
   * @param stalledMilliseconds a client that reads nothing for this long is cut off: its answer holds a slot meanwhile
   */
  constructor(response: ServerResponse, headers: OutgoingHttpHeaders, stalledMilliseconds: number) {
    this.#response = response;
    this.#stalledMilliseconds = stalledMilliseconds;
    response.writeHead(200, headers);
    response.flushHeaders();
  }

  /** Waits while the client reads slower than we write. Rejects with `cancelled` when the client is gone. */
  async write(text: string): Promise<void> {
    if (this.#response.destroyed || this.#response.writableEnded) throw clientGone();
    if (this.#response.write(text)) return;
    await this.#drained();
  }

  /** For what can as well be left out: nothing is written to a client that is behind or gone. */
  writeIfIdle(text: string): void {
    if (!this.#response.writableNeedDrain && !this.#response.destroyed) this.#response.write(text);
  }

  onClose(listener: () => void): void {
    this.#response.once("close", listener);
  }

  end(): void {
    this.#response.end();
  }

  async #drained(): Promise<void> {
    const waiting = new AbortController();
    const stalled = setTimeout(() => this.#response.destroy(), this.#stalledMilliseconds);
    const { signal } = waiting;
    try {
      const drain = once(this.#response, "drain", { signal });
      const close = once(this.#response, "close", { signal }).then(() => Promise.reject(clientGone()));
      await Promise.race([drain, close]);
    } finally {
      clearTimeout(stalled);
      waiting.abort();
    }
  }
}

function clientGone(): ExoError {
  return new ExoError("cancelled", "The client went away before the answer was complete.");
}
