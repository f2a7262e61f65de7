/**
 * Where the time of one request went: plain data, told by any node. No text of a prompt or an answer is in it, nor any
 * token: names, times, counts.
 */

/** Which request of the outside world an inference request is part of. It travels to the head. */
export interface RequestOrigin {
  /** As the client gave it (`x-request-id`), or the entry node made it; in the logs of every node that works on it. */
  readonly requestId: string;
  /** 32 hexadecimal digits, as in W3C Trace Context. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the span of the caller. */
  readonly parentId: string;
  /** Spans are recorded. */
  readonly traced: boolean;
}

export type SpanValue = string | number | boolean;

export interface Span {
  readonly name: string;
  /** Where it happened. */
  readonly nodeId: string;
  /** Place in the ring, 0 for the head; `null` for what happens outside a ring. */
  readonly stage: number | null;
  /** Seconds since the Unix epoch, by the clock of the node that recorded it. */
  readonly begin: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, SpanValue>>;
}

/** What one node recorded of a request. */
export interface NodeTrace {
  readonly nodeId: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly parentId: string;
  /** Seconds since the Unix epoch. */
  readonly begin: number;
  readonly end: number;
  /** Work goes on. */
  readonly running: boolean;
  readonly spans: readonly Span[];
  /** Spans that found no room. */
  readonly dropped: number;
}

/** Spans that tell what a request was: the whole of it at the entry node, and each answer at its head. */
export const ROOT_SPANS: ReadonlySet<string> = new Set(["http", "head"]);
