import type { ServerResponse } from "node:http";
import { StreamedResponse } from "./streamed-response.js";

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
  readonly #body: StreamedResponse;
  readonly #heartbeat: NodeJS.Timeout;

  /** Sends status 200 and the headers; from here on a failure can only be told as an event. */
  constructor(response: ServerResponse, options: SseOptions) {
    this.#body = new StreamedResponse(response, HEADERS, options.stalledClientMilliseconds);
    // A client that is behind will get data soon enough; comments would only pile up before it.
    const beat = (): void => this.#body.writeIfIdle(": keep-alive\n\n");
    this.#heartbeat = setInterval(beat, options.heartbeatMilliseconds).unref();
    this.#body.onClose(() => clearInterval(this.#heartbeat));
  }

  /**
   * One event. Rejects with `cancelled` when the client is gone.
   *
   * @param event its name, in APIs that name their events
   */
  async send(data: unknown, event?: string): Promise<void> {
    const name = event === undefined ? "" : `event: ${event}\n`;
    await this.#body.write(`${name}data: ${JSON.stringify(data)}\n\n`);
  }

  /** The end mark of OpenAI's older streams, and the end of the response. */
  async done(): Promise<void> {
    await this.#body.write("data: [DONE]\n\n");
    this.end();
  }

  /** The end of the response, where the last event says itself that it is the last. */
  end(): void {
    clearInterval(this.#heartbeat);
    this.#body.end();
  }
}
