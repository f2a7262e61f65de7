import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { type Context, type Span as OtelSpan, type SpanOptions, type TracerProvider, trace } from "@opentelemetry/api";
import type { NodeTrace, Span } from "../../src/core/trace.js";
import { OpenTelemetrySpans } from "../../src/telemetry/open-telemetry.js";

interface Kept {
  readonly name: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly traceId: string | undefined;
  readonly options: SpanOptions | undefined;
  end: unknown;
}

/** Stands for an SDK: it keeps the spans that are begun. */
function recordingProvider(kept: Kept[]): TracerProvider {
  const startSpan = (name: string, options?: SpanOptions, context?: Context): OtelSpan => {
    const above = context === undefined ? undefined : trace.getSpanContext(context);
    const id = String(kept.length + 1).padStart(16, "0");
    const one: Kept = { name, id, parent: above?.spanId, traceId: above?.traceId, options, end: undefined };
    kept.push(one);
    const span: OtelSpan = {
      spanContext: () => ({ traceId: above?.traceId ?? "f".repeat(32), spanId: id, traceFlags: 1 }),
      setAttribute: () => span,
      setAttributes: () => span,
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      setStatus: () => span,
      updateName: () => span,
      end: (time) => {
        one.end = time ?? "now";
      },
      isRecording: () => true,
      recordException: () => {},
    };
    return span;
  };
  return {
    getTracer: () => ({
      startSpan,
      startActiveSpan: () => {
        throw new Error("no span of ours is made active");
      },
    }),
  };
}

function span(name: string, begin: number, end: number): Span {
  return { name, nodeId: "h", stage: 0, begin, end, attributes: { tokens: 3 } };
}

const SPANS = [
  span("head", 10, 20),
  span("queue", 10, 11),
  span("decode", 11, 15),
  span("compute", 12, 13),
  span("decode", 15, 20),
];

function recorded(spans: readonly Span[]) {
  let told = 0;
  const base = { nodeId: "h", requestId: "r", traceId: "a".repeat(32), parentId: "b".repeat(16) };
  return {
    get told() {
      return told;
    },
    toTrace(wanted: (name: string) => boolean = () => true): NodeTrace {
      told += 1;
      const all = spans.filter(({ name }) => wanted(name));
      return { ...base, begin: 10, end: 20, running: false, dropped: 0, spans: all };
    },
  };
}

describe("OpenTelemetry", () => {
  afterEach(() => trace.disable());

  test("gets nothing, and costs next to nothing, where no provider is registered", () => {
    const spans = new OpenTelemetrySpans();
    const request = recorded(SPANS);
    spans.export(request);
    assert.equal(request.told, 1, "all spans are made only for somebody who takes them");
    assert.equal(spans.begin("exo_native.request", null), null);
  });

  test("gets the spans of a request as the tree that their times show, below the span that began it", () => {
    const kept: Kept[] = [];
    const spans = new OpenTelemetrySpans();
    trace.setGlobalTracerProvider(recordingProvider(kept));
    spans.export(recorded(SPANS));
    const nameOf = (id: string | undefined) => kept.find((one) => one.id === id)?.name ?? id;
    assert.deepEqual(
      kept.map(({ name, parent }) => [name, nameOf(parent)]),
      [
        ["exo_native.head", "b".repeat(16)],
        ["exo_native.queue", "exo_native.head"],
        ["exo_native.decode", "exo_native.head"],
        ["exo_native.compute", "exo_native.decode"],
        ["exo_native.decode", "exo_native.head"],
      ],
    );
    const [head] = kept;
    assert.equal(head?.traceId, "a".repeat(32));
    assert.equal(head?.options?.startTime, 10_000);
    assert.equal(head?.end, 20_000);
    assert.deepEqual(head?.options?.attributes, {
      "exo_native.node": "h",
      "exo_native.stage": 0,
      "exo_native.tokens": 3,
    });
  });

  test("begins the span of a request below that of its client", () => {
    const kept: Kept[] = [];
    trace.setGlobalTracerProvider(recordingProvider(kept));
    const parent = { traceId: "1".repeat(32), spanId: "2".repeat(16) };
    const live = new OpenTelemetrySpans().begin("exo_native.request", parent);
    assert.equal(live?.traceId, parent.traceId);
    assert.equal(kept[0]?.parent, parent.spanId);
    live?.end();
    assert.equal(kept[0]?.end, "now");
  });
});
