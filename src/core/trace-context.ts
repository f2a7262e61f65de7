import { randomBytes } from "node:crypto";

/** https://www.w3.org/TR/trace-context/: who called, and whether they record. */
export interface TraceParent {
  readonly traceId: string;
  readonly parentId: string;
  readonly sampled: boolean;
}

const TRACE_PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:=@+-]{0,127}$/;

/** `null` for what is no `traceparent` header: the request then begins a trace of its own, as the standard wants it. */
export function parseTraceParent(header: string | undefined): TraceParent | null {
  const [, version, traceId = "", parentId = "", flags = "", more] = TRACE_PARENT.exec(header ?? "") ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return null;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function newTraceId(): string {
  return randomBytes(16).toString("hex");
}

export function newSpanId(): string {
  return randomBytes(8).toString("hex");
}

/** A request id that may stand in headers, logs and paths; `null` for any other. */
export function wellFormedRequestId(value: unknown): string | null {
  return typeof value === "string" && REQUEST_ID.test(value) ? value : null;
}
