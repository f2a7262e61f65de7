import { at, listAt, numberAt, optionalNumberAt, textAt } from "./json.js";
import type { Server } from "./server.js";

/** An entry of `GET /cluster/traces`. Seconds since the Unix epoch. */
export interface ListedTrace {
  readonly requestId: string;
  /** "" where it was refused before a ring was found. */
  readonly model: string;
  readonly begin: number;
  /** How long it took, or has taken so far. */
  readonly seconds: number;
  readonly isRunning: boolean;
  /** Of HTTP; `null` while it is not known. */
  readonly status: number | null;
  readonly tokens: number;
}

export interface TraceSpan {
  readonly name: string;
  readonly nodeId: string;
  /** Place in the ring, 0 for the head; `null` for what happens outside a ring. */
  readonly stage: number | null;
  /** Seconds since the Unix epoch, by the clock of the node that recorded it. */
  readonly begin: number;
  readonly end: number;
  /** What was measured, where the span is drawn shorter to fit; `null`: as long as it is drawn. */
  readonly seconds: number | null;
}

export interface TraceDocument {
  readonly requestId: string;
  readonly isRunning: boolean;
  /** By id. */
  readonly nodeNames: ReadonlyMap<string, string>;
  readonly spans: readonly TraceSpan[];
  /** Spans that found no room. */
  readonly dropped: number;
}

/** The newest first. */
export async function askTraces(server: Server, signal: AbortSignal): Promise<readonly ListedTrace[]> {
  const body = await server.json("/cluster/traces", { signal });
  return listAt(body, "traces").map(parseListed);
}

export async function askTrace(server: Server, requestId: string, signal: AbortSignal): Promise<TraceDocument> {
  return parseTrace(await server.json(tracePath(requestId), { signal }));
}

/** For chrome://tracing and Perfetto, as the node makes it. */
export async function askChromeTrace(server: Server, requestId: string): Promise<string> {
  return (await server.fetch(`${tracePath(requestId)}?format=chrome`)).text();
}

function tracePath(requestId: string): string {
  return `/cluster/traces/${encodeURIComponent(requestId)}`;
}

function parseListed(trace: unknown): ListedTrace {
  return {
    requestId: textAt(trace, "request_id"),
    model: textAt(trace, "model"),
    begin: numberAt(trace, "begin"),
    seconds: numberAt(trace, "seconds"),
    isRunning: at(trace, "running") === true,
    status: optionalNumberAt(trace, "status"),
    tokens: numberAt(trace, "completion_tokens"),
  };
}

export function parseTrace(body: unknown): TraceDocument {
  return {
    requestId: textAt(body, "request_id"),
    isRunning: at(body, "running") === true,
    nodeNames: new Map(listAt(body, "nodes").map((node) => [textAt(node, "id"), textAt(node, "name")])),
    spans: listAt(body, "spans").map(parseSpan),
    dropped: numberAt(body, "dropped"),
  };
}

function parseSpan(span: unknown): TraceSpan {
  return {
    name: textAt(span, "name"),
    nodeId: textAt(span, "node_id"),
    stage: optionalNumberAt(span, "stage"),
    begin: numberAt(span, "begin"),
    end: numberAt(span, "end"),
    seconds: optionalNumberAt(span, "attributes", "seconds"),
  };
}
