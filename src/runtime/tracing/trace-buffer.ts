import type { Clock } from "../../core/ports.js";
import { type NodeTrace, type RequestOrigin, ROOT_SPANS } from "../../core/trace.js";
import { TraceRecord } from "./trace-record.js";

export interface TraceBufferOptions {
  readonly nodeId: string;
  /** Part of the requests that are recorded, 0 to 1; 0: none is, whatever another node or a client wants. */
  readonly rate: number;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly maxTraces?: number;
  /** About. */
  readonly maxBytes?: number;
}

const MOST_TRACES = 256;
const MOST_BYTES = 8 * 1024 * 1024;

/** The last requests that this node worked on, in bounded memory: the oldest make room. */
export class TraceBuffer {
  readonly #options: TraceBufferOptions;
  readonly #records = new Map<string, TraceRecord>();
  readonly #listeners: ((record: TraceRecord) => void)[] = [];

  constructor(options: TraceBufferOptions) {
    this.#options = options;
  }

  /** Calls back when this node's part of a request is over. */
  onComplete(listener: (record: TraceRecord) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Whether a new request is recorded.
   *
   * @param wanted what the caller's own trace says; `null`: it has none
   */
  decides(wanted: boolean | null): boolean {
    const { rate, random = Math.random } = this.#options;
    return rate > 0 && (wanted ?? random() < rate);
  }

  /** A request enters the cluster here. One that had the same id before makes way. */
  begin(origin: RequestOrigin): TraceRecord | null {
    if (!this.#isWanted(origin)) return null;
    this.#records.delete(origin.requestId);
    return this.open(origin);
  }

  /** A part of a request is worked on here, from now until `close`. */
  open(origin: RequestOrigin): TraceRecord | null {
    if (!this.#isWanted(origin)) return null;
    const record = this.#known(origin) ?? this.#create(origin);
    record.enter();
    return record;
  }

  close(record: TraceRecord): void {
    if (!record.leave()) return;
    for (const listener of this.#listeners) listener(record);
    this.#makeRoom();
  }

  find(requestId: string): NodeTrace | null {
    return this.#records.get(requestId)?.toTrace() ?? null;
  }

  /** The newest first, with their root spans only. */
  list(): readonly NodeTrace[] {
    return [...this.#records.values()].reverse().map((record) => record.toTrace((name) => ROOT_SPANS.has(name)));
  }

  #isWanted({ traced }: RequestOrigin): boolean {
    return traced && this.#options.rate > 0;
  }

  #known({ requestId, traceId }: RequestOrigin): TraceRecord | undefined {
    const known = this.#records.get(requestId);
    return known?.origin.traceId === traceId ? known : undefined;
  }

  #create(origin: RequestOrigin): TraceRecord {
    const record = new TraceRecord(origin, this.#options.nodeId, this.#options.clock);
    this.#records.delete(origin.requestId);
    this.#records.set(origin.requestId, record);
    this.#makeRoom();
    return record;
  }

  #makeRoom(): void {
    const { maxTraces = MOST_TRACES, maxBytes = MOST_BYTES } = this.#options;
    let bytes = 0;
    for (const record of this.#records.values()) bytes += record.bytes;
    for (const [requestId, record] of this.#records) {
      if (this.#records.size <= maxTraces && bytes <= maxBytes) return;
      this.#records.delete(requestId);
      bytes -= record.bytes;
    }
  }
}
