import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { ExoError } from "../core/errors.js";

export interface SseOptions {
  /** A comment line goes out this often, so that proxies and clients see that the connection lives. */
  readonly heartbeatMilliseconds: number;
  /** A client that reads nothing for this long is cut off: its answer holds a slot meanwhile. */
  readonly stalledClientMilliseconds: number;
}

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  // no-transform: a compressing proxy would hold events back. X-Accel-Buffering: nginx would.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** Server-sent events on one response. `send` waits while the client reads slower than we write. */
export class SseStream {
  readonly #response: ServerResponse;
  readonly #options: SseOptions;
  readonly #heartbeat: NodeJS.Timeout;

  /** Sends status 200 and the headers; from here on a failure can only be told as an event. */
  constructor(response: ServerResponse, options: SseOptions) {
    this.#response = response;
    this.#options = options;
    response.writeHead(200, HEADERS);
    response.flushHeaders();
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMilliseconds).unref();
    response.once("close", () => clearInterval(this.#heartbeat));
  }

  /** One event. Rejects with `cancelled` when the client is gone. */
  async send(data: unknown): Promise<void> {
    await this.#write(`data: ${JSON.stringify(data)}\n\n`);
  }

  /** The end mark of OpenAI's streams, and the end of the response. */
  async done(): Promise<void> {
    await this.#write("data: [DONE]\n\n");
    clearInterval(this.#heartbeat);
    this.#response.end();
  }

  #beat(): void {
    // A client that is behind will get data soon enough; comments would only pile up before it.
    if (!this.#response.writableNeedDrain && !this.#response.destroyed) this.#response.write(": keep-alive\n\n");
  }

  async #write(text: string): Promise<void> {
    if (this.#response.destroyed || this.#response.writableEnded) throw clientGone();
    if (this.#response.write(text)) return;
    await this.#drained();
  }

  async #drained(): Promise<void> {
    const waiting = new AbortController();
    const stalled = setTimeout(() => this.#response.destroy(), this.#options.stalledClientMilliseconds);
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
