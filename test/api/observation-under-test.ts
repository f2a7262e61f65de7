import type { Observation } from "../../src/api/observation/observation.js";
import { RequestCounts } from "../../src/api/observation/request-counts.js";
import { systemClock } from "../../src/core/ports.js";
import type { NodeTrace } from "../../src/core/trace.js";
import { TraceBuffer } from "../../src/runtime/tracing/trace-buffer.js";

/** An observation over a buffer of its own; metrics are what the API itself counts. */
export function observation(more: Partial<Observation> = {}) {
  const counts = new RequestCounts();
  const traces = new TraceBuffer({ nodeId: "n1", rate: 1, clock: systemClock });
  const metrics = { contentType: "text/plain; version=0.0.4; charset=utf-8", text: async () => "a_metric 1\n" };
  const recorded = {
    list: async () => traces.list(),
    find: async (id: string) => [traces.find(id)].filter((trace): trace is NodeTrace => trace !== null),
  };
  const made: Observation = { counts, traces, metrics, recorded, activity: () => ({ rings: [] }), ...more };
  return { observation: made, counts, traces };
}
