import type { NodeTrace, Span, SpanValue } from "../../core/trace.js";

/** One request, put together from what its nodes recorded. `GET /cluster/traces/{requestId}` answers it as it is. */
export interface TraceDocument {
  readonly request_id: string;
  readonly trace_id: string;
  /** Seconds since the Unix epoch, by the entry node's clock where that is known. */
  readonly begin: number;
  readonly end: number;
  /** Work goes on. */
  readonly running: boolean;
  /** Spans that found no room. */
  readonly dropped: number;
  /** Whose spans there are, by id. */
  readonly nodes: readonly TraceNode[];
  readonly spans: readonly TraceSpan[];
}

export interface TraceNode {
  readonly id: string;
  readonly name: string;
}

export interface TraceSpan {
  readonly name: string;
  readonly node_id: string;
  /** Place in the ring, 0 for the head; `null` for what happens outside a ring. */
  readonly stage: number | null;
  readonly begin: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, SpanValue>>;
}

/** A line of `GET /cluster/traces`. */
export interface TraceLine {
  readonly request_id: string;
  readonly trace_id: string;
  readonly begin: number;
  readonly seconds: number;
  readonly running: boolean;
  /** `""` where it was refused before a ring was found. */
  readonly model: string;
  /** HTTP status; `null` while it runs, and when the entry node no longer knows it. */
  readonly status: number | null;
  readonly completion_tokens: number;
}

/** @returns `null` of nothing */
export function traceDocument(parts: readonly NodeTrace[], nameOf: (nodeId: string) => string): TraceDocument | null {
  const newest = parts.toSorted((a, b) => b.begin - a.begin)[0];
  if (newest === undefined) return null;
  // A request id may come again; only parts of one trace belong together.
  const own = aligned(parts.filter(({ traceId }) => traceId === newest.traceId));
  const spans = own.flatMap((part) => part.spans).toSorted((a, b) => a.begin - b.begin || b.end - a.end);
  return {
    request_id: newest.requestId,
    trace_id: newest.traceId,
    begin: Math.min(...own.map(({ begin }) => begin)),
    end: Math.max(...own.map(({ end }) => end)),
    running: own.some(({ running }) => running),
    dropped: own.reduce((sum, { dropped }) => sum + dropped, 0),
    nodes: [...new Set(spans.map(({ nodeId }) => nodeId))].map((id) => ({ id, name: nameOf(id) })),
    spans: spans.map(({ nodeId, ...span }) => ({ ...span, node_id: nodeId })),
  };
}

/** The newest first. */
export function traceLines(parts: readonly NodeTrace[]): readonly TraceLine[] {
  const byTrace = new Map<string, NodeTrace[]>();
  for (const part of parts) {
    const key = `${part.requestId} ${part.traceId}`;
    byTrace.set(key, [...(byTrace.get(key) ?? []), part]);
  }
  return [...byTrace.values()].map(lineOf).toSorted((a, b) => b.begin - a.begin);
}

function lineOf(parts: readonly NodeTrace[]): TraceLine {
  const spans = parts.flatMap((part) => part.spans);
  const http = spans.find(({ name }) => name === "http");
  const heads = spans.filter(({ name }) => name === "head");
  const status = http?.attributes.status;
  const begin = http?.begin ?? Math.min(...parts.map((part) => part.begin));
  return {
    request_id: parts[0]?.requestId ?? "",
    trace_id: parts[0]?.traceId ?? "",
    begin,
    seconds: Math.max(...parts.map((part) => part.end)) - begin,
    running: parts.some(({ running }) => running),
    model: String(heads[0]?.attributes.model ?? ""),
    status: typeof status === "number" ? status : null,
    completion_tokens: heads.reduce((sum, { attributes }) => sum + Number(attributes.completion_tokens ?? 0), 0),
  };
}

/**
 * Clocks of two nodes differ. What a head recorded must lie within the time in which the entry node waited for it; where
 * it does not, it is moved to the middle of that.
 */
function aligned(parts: readonly NodeTrace[]): readonly NodeTrace[] {
  const asked = parts.flatMap(({ spans }) => spans.filter(({ name }) => name === "ask"));
  return parts.map((part) => {
    const head = part.spans.find(({ name }) => name === "head");
    const ask = asked.find(({ nodeId, attributes }) => nodeId !== part.nodeId && attributes.head === part.nodeId);
    if (head === undefined || ask === undefined || (head.begin >= ask.begin && head.end <= ask.end)) return part;
    return moved(part, (ask.begin + ask.end - head.begin - head.end) / 2);
  });
}

function moved(part: NodeTrace, seconds: number): NodeTrace {
  const shift = (span: Span): Span => ({ ...span, begin: span.begin + seconds, end: span.end + seconds });
  return { ...part, begin: part.begin + seconds, end: part.end + seconds, spans: part.spans.map(shift) };
}
