import { TraceReader } from "../../runtime/tracing/trace-reader.js";
import { registerNodeMetrics } from "../../telemetry/node-metrics.js";
import { OpenTelemetrySpans } from "../../telemetry/open-telemetry.js";
import { PrometheusMetrics } from "../../telemetry/prometheus.js";
import type { ClusterActivity } from "../events/cluster-activity.js";
import type { NodeParts } from "../node-api.js";
import type { Observation } from "./observation.js";
import { RequestCounts } from "./request-counts.js";

export interface ObservedNode
  extends Pick<NodeParts, "self" | "membership" | "manager" | "stages" | "traces" | "meters" | "logger"> {
  readonly activity: () => ClusterActivity;
}

/** Metrics, traces and events of a node, made of what its parts keep. */
export function createObservation(node: ObservedNode): Observation {
  const { self, membership, manager, stages, traces, meters, activity, logger } = node;
  const counts = new RequestCounts();
  const metrics = new PrometheusMetrics();
  registerNodeMetrics(metrics, {
    self,
    members: () => membership.members(),
    rings: () => manager.local(),
    stages: () => stages.held(),
    meters,
    http: counts,
  });
  const outer = new OpenTelemetrySpans();
  traces.onComplete((record) => {
    try {
      outer.export(record);
    } catch (thrown) {
      // Whoever embeds the node chose who listens; that must not fail an answer.
      logger.warn({ error: String(thrown) }, "OpenTelemetry did not take the spans of a request");
    }
  });
  return {
    counts,
    traces,
    outer: (name, parent) => outer.begin(name, parent),
    metrics,
    recorded: new TraceReader({ buffer: traces, members: () => membership.alive(), logger }),
    activity,
  };
}
