import type { ServerResponse } from "node:http";
import { ExoError } from "../core/errors.js";

/** The requests being answered, so that a client that hangs up, or the server's stop, ends the work at once. */
export class LiveRequests {
  readonly #controllers = new Set<AbortController>();
  #waiting: (() => void)[] = [];

  /** The signal aborts when the connection closes before the response was sent whole. */
  open(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    this.#controllers.add(controller);
    response.once("close", () => {
      this.#close(controller);
      if (!response.writableFinished) {
        controller.abort(new ExoError("cancelled", "The client closed the connection before the answer was complete."));
      }
    });
    return controller.signal;
  }

  abortAll(error: ExoError): void {
    for (const controller of this.#controllers) controller.abort(error);
  }

  /** Resolves when every connection that an answer was for has closed or has had it. */
  async whenIdle(): Promise<void> {
    if (this.#controllers.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #close(controller: AbortController): void {
    this.#controllers.delete(controller);
    if (this.#controllers.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
