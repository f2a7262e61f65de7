import { type Context, context, type Span as OtelSpan, SpanKind, type Tracer, TraceFlags, trace } from "@opentelemetry/api";
import { packageVersion } from "../core/package.js";
import type { NodeTrace, Span } from "../core/trace.js";

/** A span of another tracing system, by its ids. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

export interface LiveSpan extends SpanIds {
  end(): void;
}

/**
 * Hands spans to OpenTelemetry if the program that runs the node has registered a tracer provider; otherwise its API does
 * nothing, at no cost. No SDK comes with this package.
 */
export class OpenTelemetrySpans {
  readonly #tracer: Tracer;

  constructor() {
    this.#tracer = trace.getTracer("exo-native", packageVersion());
  }

  /** A span that begins now; `null` when nobody records it. */
  begin(name: string, parent: SpanIds | null): LiveSpan | null {
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER }, contextOf(parent));
    if (!span.isRecording()) return null;
    const { traceId, spanId } = span.spanContext();
    return { traceId, spanId, end: () => span.end() };
  }

  /** What this node recorded of a request, below the span that began it. */
  export(recorded: NodeTrace): void {
    const { traceId, parentId, spans } = recorded;
    const parent = contextOf({ traceId, spanId: parentId });
    // What contains others becomes their parent, so that the tree is the one that the times show.
    const open: { readonly span: OtelSpan; readonly end: number }[] = [];
    for (const one of spans) {
      while (open.length > 0 && (open.at(-1)?.end ?? 0) < one.end) open.pop();
      const container = open.at(-1)?.span;
      const span = this.#start(one, container === undefined ? parent : trace.setSpan(parent, container));
      if (!span.isRecording()) return;
      span.end(one.end * 1000);
      open.push({ span, end: one.end });
    }
  }

  #start({ name, nodeId, stage, begin, attributes }: Span, parent: Context): OtelSpan {
    const place = { "exo_native.node": nodeId, ...(stage === null ? {} : { "exo_native.stage": stage }) };
    const named = Object.entries(attributes).map(([key, value]) => [`exo_native.${key}`, value]);
    return this.#tracer.startSpan(
      `exo_native.${name}`,
      { startTime: begin * 1000, attributes: { ...place, ...Object.fromEntries(named) } },
      parent,
    );
  }
}

function contextOf(parent: SpanIds | null): Context {
  if (parent === null) return context.active();
  return trace.setSpanContext(context.active(), { ...parent, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}
