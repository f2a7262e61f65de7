// A tracer provider as a program would register one before the node starts (`node --require`): a line for each span.
const { trace } = require("@opentelemetry/api");

let spans = 0;

function startSpan(name, _options, context) {
  const above = context && trace.getSpanContext(context);
  const spanId = (++spans).toString(16).padStart(16, "0");
  const traceId = above?.traceId ?? "e".repeat(32);
  const span = {
    spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
    setAttribute: () => span,
    setAttributes: () => span,
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    setStatus: () => span,
    updateName: () => span,
    recordException: () => {},
    isRecording: () => true,
    end: () =>
      process.stderr.write(`${JSON.stringify({ span: name, spanId, traceId, parent: above?.spanId ?? null })}\n`),
  };
  return span;
}

trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) });
