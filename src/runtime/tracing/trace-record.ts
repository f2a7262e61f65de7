import type { Clock } from "../../core/ports.js";
import type { NodeTrace, RequestOrigin, Span, SpanValue } from "../../core/trace.js";

/** Spans that are made of less when somebody asks for them. */
export interface SpanSource {
  spans(toSeconds: (milliseconds: number) => number): readonly Span[];
  /** In memory, about. */
  readonly bytes: number;
}

export interface SpanExtras {
  readonly stage?: number;
  readonly attributes?: Readonly<Record<string, SpanValue>>;
}

/** Spans that one request may record one by one at a node, and sources of further ones. */
const MOST_SPANS = 512;
const MOST_SOURCES = 32;
/** Spans that are told of one request. */
const MOST_TOLD = 4096;
/** About what a span takes. */
const SPAN_BYTES = 300;

/** What this node records of one request. Times come in milliseconds of the monotonic clock. */
export class TraceRecord {
  readonly origin: RequestOrigin;
  readonly #nodeId: string;
  /** Milliseconds since the Unix epoch when the monotonic clock stood at 0. */
  readonly #zero: number;
  readonly #begin: number;
  readonly #clock: Clock;
  readonly #spans: Span[] = [];
  readonly #sources: SpanSource[] = [];
  #dropped = 0;
  #end: number | null = null;
  #users = 0;

  constructor(origin: RequestOrigin, nodeId: string, clock: Clock) {
    this.origin = origin;
    this.#nodeId = nodeId;
    this.#clock = clock;
    this.#begin = clock.monotonic();
    this.#zero = clock.wall() - this.#begin;
  }

  get running(): boolean {
    return this.#users > 0;
  }

  get bytes(): number {
    return this.#sources.reduce((sum, source) => sum + source.bytes, SPAN_BYTES * (1 + this.#spans.length));
  }

  /** Milliseconds of the monotonic clock. */
  now(): number {
    return this.#clock.monotonic();
  }

  /** Somebody works on the request here. */
  enter(): void {
    this.#users += 1;
  }

  /** @returns whether nobody does any more */
  leave(): boolean {
    this.#users -= 1;
    this.#end = this.#clock.monotonic();
    return this.#users === 0;
  }

  span(name: string, begin: number, end: number, { stage, attributes = {} }: SpanExtras = {}): void {
    if (this.#spans.length >= MOST_SPANS) {
      this.#dropped += 1;
      return;
    }
    this.#spans.push({
      name,
      nodeId: this.#nodeId,
      stage: stage ?? null,
      begin: this.#toSeconds(begin),
      end: this.#toSeconds(end),
      attributes,
    });
  }

  add(source: SpanSource): void {
    if (this.#sources.length < MOST_SOURCES) this.#sources.push(source);
    else this.#dropped += 1;
  }

  /** @param wanted names of the spans to tell; absent: all, those of sources too */
  toTrace(wanted?: (name: string) => boolean): NodeTrace {
    const all =
      wanted === undefined ? [...this.#spans, ...this.#madeSpans()] : this.#spans.filter(({ name }) => wanted(name));
    const { requestId, traceId, parentId } = this.origin;
    const begins = all.map(({ begin }) => begin);
    return {
      nodeId: this.#nodeId,
      requestId,
      traceId,
      parentId,
      begin: begins.reduce((a, b) => Math.min(a, b), this.#toSeconds(this.#begin)),
      end: this.#toSeconds(this.#end ?? this.#clock.monotonic()),
      running: this.running,
      spans: all.toSorted((a, b) => a.begin - b.begin || b.end - a.end).slice(0, MOST_TOLD),
      dropped: this.#dropped + Math.max(0, all.length - MOST_TOLD),
    };
  }

  #madeSpans(): readonly Span[] {
    return this.#sources.flatMap((source) => source.spans((milliseconds) => this.#toSeconds(milliseconds)));
  }

  #toSeconds(milliseconds: number): number {
    return (this.#zero + milliseconds) / 1000;
  }
}
