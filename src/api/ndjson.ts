import type { ServerResponse } from "node:http";
import { StreamedResponse } from "./streamed-response.js";

const HEADERS = {
  "content-type": "application/x-ndjson",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** JSON documents, one per line, on one response. There is no heartbeat: clients take every line for a document. */
export class NdjsonStream {
  readonly #body: StreamedResponse;

  /** Sends status 200 and the headers; from here on a failure can only be told as a line. */
  constructor(response: ServerResponse, options: { readonly stalledClientMilliseconds: number }) {
    this.#body = new StreamedResponse(response, HEADERS, options.stalledClientMilliseconds);
  }

  /** One line. Waits while the client reads slower than we write; rejects with `cancelled` when it is gone. */
  async send(document: unknown): Promise<void> {
    await this.#body.write(`${JSON.stringify(document)}\n`);
  }

  end(): void {
    this.#body.end();
  }
}
