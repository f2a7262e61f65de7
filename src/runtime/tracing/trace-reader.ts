import type { Member } from "../../cluster/membership.js";
import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import type { NodeTrace } from "../../core/trace.js";
import type { TraceBuffer } from "./trace-buffer.js";

export interface TraceReaderOptions {
  readonly buffer: TraceBuffer;
  readonly members: () => readonly Pick<Member, "name" | "client">[];
  readonly logger: Logger;
}

/** Traces of the whole cluster: each node keeps what it recorded itself, and tells it when it is asked. */
export class TraceReader {
  readonly #options: TraceReaderOptions;

  constructor(options: TraceReaderOptions) {
    this.#options = options;
  }

  /** With the spans that tell what a request was, and no others. */
  list(): Promise<readonly NodeTrace[]> {
    return this.#everywhere(null, this.#options.buffer.list());
  }

  /** What each node recorded of a request; empty when none knows it. */
  find(requestId: string): Promise<readonly NodeTrace[]> {
    const here = this.#options.buffer.find(requestId);
    return this.#everywhere(requestId, here === null ? [] : [here]);
  }

  async #everywhere(requestId: string | null, here: readonly NodeTrace[]): Promise<readonly NodeTrace[]> {
    const { members, logger } = this.#options;
    const there = members().map(async ({ name, client }) => {
      try {
        return await client.readTraces(requestId);
      } catch (thrown) {
        // A trace of the other nodes is worth more than none.
        logger.debug({ node: name, code: ExoError.from(thrown).code }, "a node did not tell of its traces");
        return [];
      }
    });
    return [here, ...(await Promise.all(there))].flat();
  }
}
