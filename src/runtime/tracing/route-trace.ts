import type { FoundRing } from "../../cluster/found-rings.js";
import type { InferenceRequest } from "../../core/inference.js";
import type { TraceBuffer } from "./trace-buffer.js";
import type { TraceRecord } from "./trace-record.js";

/** What the node that routes a request records of it: how long a ring was looked for, and who was asked. */
export class RouteTrace {
  readonly #traces: TraceBuffer | null;
  readonly #record: TraceRecord | null;
  readonly #answer: string;

  constructor(traces: TraceBuffer | null, { id, origin }: InferenceRequest) {
    this.#traces = traces;
    this.#record = origin === undefined ? null : (traces?.open(origin) ?? null);
    this.#answer = id;
  }

  /** Milliseconds, for the calls below. */
  now(): number {
    return this.#record?.now() ?? 0;
  }

  /** A ring was found, after the model was loaded if that had to be. */
  routed(begun: number, target: FoundRing): void {
    this.#span("route", begun, target);
  }

  /** The head was asked, and has answered or failed. */
  asked(begun: number, target: FoundRing): void {
    this.#span("ask", begun, target);
  }

  end(): void {
    if (this.#record !== null) this.#traces?.close(this.#record);
  }

  #span(name: string, begun: number, { ring, head, client }: FoundRing): void {
    const attributes = { answer: this.#answer, model: ring.model, ring: ring.id, head, remote: client !== null };
    this.#record?.span(name, begun, this.now(), { attributes });
  }
}
