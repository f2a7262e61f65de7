import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../../core/ports.js";
import type { RequestOrigin } from "../../core/trace.js";
import { newSpanId, newTraceId, parseTraceParent } from "../../core/trace-context.js";
import type { TraceBuffer } from "../../runtime/tracing/trace-buffer.js";
import type { TraceRecord } from "../../runtime/tracing/trace-record.js";
import { failureOf } from "../log-failure.js";
import type { RequestCounts } from "./request-counts.js";

/** The span of another tracing system that stands for a request there. */
export interface OuterSpan {
  readonly traceId: string;
  readonly spanId: string;
  end(): void;
}

export interface ObservedRequestsOptions {
  readonly counts: RequestCounts;
  readonly traces: TraceBuffer;
  /** Whether a ring of this model exists now: metrics name no others. */
  readonly isLoaded: (model: string) => boolean;
  /** Begins a span elsewhere, too; `null` when nobody listens there. */
  readonly outer?: (
    name: string,
    parent: { readonly traceId: string; readonly spanId: string } | null,
  ) => OuterSpan | null;
  readonly clock: Clock;
}

interface Observed {
  readonly arrivedAt: number;
  model: string;
  record: TraceRecord | null;
  outer: OuterSpan | null;
}

/** A client that left before its answer was complete; nginx' number for it. */
const CLIENT_GONE = 499;

/** Counts the requests of an HTTP server by how they ended, and begins the traces of those that ask a model. */
export class ObservedRequests {
  readonly #options: ObservedRequestsOptions;
  readonly #observed = new WeakMap<FastifyRequest, Observed>();

  constructor(options: ObservedRequestsOptions) {
    this.#options = options;
  }

  attach(app: FastifyInstance): void {
    app.addHook("onRequest", async (request, reply) => {
      const arrivedAt = this.#options.clock.monotonic();
      const observed: Observed = { arrivedAt, model: "", record: null, outer: null };
      this.#observed.set(request, observed);
      this.#options.counts.inFlight += 1;
      // Whatever becomes of the response, taken over by a stream too.
      reply.raw.once("close", () => this.#ended(observed, request, reply));
    });
  }

  /** The request asks this model: what the head is to know of where it comes from. */
  asks(request: FastifyRequest, model: string): RequestOrigin {
    const observed = this.#observed.get(request);
    const parent = parseTraceParent(headerOf(request, "traceparent"));
    const traced = observed !== undefined && this.#options.traces.decides(parent?.sampled ?? null);
    const outer = traced ? (this.#options.outer?.("exo_native.request", toOuter(parent)) ?? null) : null;
    const origin: RequestOrigin = {
      requestId: request.id,
      traceId: outer?.traceId ?? parent?.traceId ?? newTraceId(),
      parentId: outer?.spanId ?? parent?.parentId ?? newSpanId(),
      traced,
    };
    if (observed === undefined) return origin;
    observed.model = model;
    observed.outer = outer;
    observed.record = this.#options.traces.begin(origin);
    return origin;
  }

  #ended(observed: Observed, request: FastifyRequest, reply: FastifyReply): void {
    const { counts, clock, isLoaded, traces } = this.#options;
    const { record, arrivedAt } = observed;
    const ended = clock.monotonic();
    const route = request.routeOptions.url ?? "unmatched";
    const status = reply.raw.writableFinished ? reply.raw.statusCode : CLIENT_GONE;
    const model = observed.model !== "" && isLoaded(observed.model) ? observed.model : "";
    const failure = failureOf(request.log);
    counts.inFlight -= 1;
    counts.requests.add([request.method, route, String(status), model]);
    counts.took(route, (ended - arrivedAt) / 1000);
    if (failure !== null) counts.errors.add([route, failure]);
    if (record === null) return;
    const attributes = { method: request.method, route, status, ...(failure === null ? {} : { error: failure }) };
    record.span("http", arrivedAt, ended, { attributes });
    traces.close(record);
    observed.outer?.end();
  }
}

function toOuter(parent: { readonly traceId: string; readonly parentId: string } | null) {
  return parent === null ? null : { traceId: parent.traceId, spanId: parent.parentId };
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}
