import {
  type Context,
  context,
  type Span as OtelSpan,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { packageVersion } from "../core/package.js";
import { type NodeTrace, ROOT_SPANS, type Span } from "../core/trace.js";

/** A span of another tracing system, by its ids. */
export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

export interface LiveSpan extends SpanIds {
  end(): void;
}

/** What a node recorded of a request. */
export interface Recorded {
  /** @param wanted names of the spans to tell; absent: all */
  toTrace(wanted?: (name: string) => boolean): NodeTrace;
}

/**
 * Hands spans to OpenTelemetry if the program that runs the node has registered a tracer provider; otherwise its API does
 * nothing, and costs next to nothing. No SDK comes with this package.
 */
export class OpenTelemetrySpans {
  readonly #tracer: Tracer = trace.getTracer("exo-native", packageVersion());

  /**
   * A span that begins now, below the one that is active, else below `parent`, which is elsewhere; `null` when nobody
   * records it.
   */
  begin(name: string, parent: SpanIds | null): LiveSpan | null {
    const above = parent === null || trace.getActiveSpan() !== undefined ? context.active() : remote(parent);
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER }, above);
    if (!span.isRecording()) return null;
    const { traceId, spanId } = span.spanContext();
    return { traceId, spanId, end: () => span.end() };
  }

  /** Below the span that began the request, on whichever node that was. */
  export(recorded: Recorded): void {
    const { traceId, parentId, spans } = recorded.toTrace((name) => ROOT_SPANS.has(name));
    const [root] = spans;
    if (root === undefined) return;
    const above = remote({ traceId, spanId: parentId });
    const first = this.#start(root, above);
    if (!first.isRecording()) return;
    first.end(root.end * 1000);
    this.#exportBelow(recorded.toTrace().spans.filter(isOther(root)), { span: first, end: root.end }, above);
  }

  /** What contains others becomes their parent, so that the tree is the one that the times show. */
  #exportBelow(spans: readonly Span[], root: Open, above: Context): void {
    const open: Open[] = [root];
    for (const one of spans) {
      while (open.length > 0 && (open.at(-1)?.end ?? 0) < one.end) open.pop();
      const container = open.at(-1)?.span;
      const span = this.#start(one, container === undefined ? above : trace.setSpan(above, container));
      span.end(one.end * 1000);
      open.push({ span, end: one.end });
    }
  }

  #start({ name, nodeId, stage, begin, attributes }: Span, above: Context): OtelSpan {
    const place = { "exo_native.node": nodeId, ...(stage === null ? {} : { "exo_native.stage": stage }) };
    const named = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [`exo_native.${key}`, value]));
    const options = { startTime: begin * 1000, attributes: { ...place, ...named } };
    return this.#tracer.startSpan(`exo_native.${name}`, options, above);
  }
}

interface Open {
  readonly span: OtelSpan;
  readonly end: number;
}

/** All but one that is exactly this. */
function isOther(root: Span): (span: Span) => boolean {
  return ({ name, begin, end }) => name !== root.name || begin !== root.begin || end !== root.end;
}

function remote(ids: SpanIds): Context {
  return trace.setSpanContext(context.active(), { ...ids, traceFlags: TraceFlags.SAMPLED, isRemote: true });
}
