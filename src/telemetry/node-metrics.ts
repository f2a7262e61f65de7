import type { Member } from "../cluster/membership.js";
import type { NodeRecord, RingRecord } from "../cluster/node-record.js";
import type { DistributionReading, Metrics, Reading } from "../core/ports.js";
import type { HeldStage } from "../runtime/held-stage.js";
import type { NodeMeters } from "../runtime/meters.js";
import type { RingHead } from "../runtime/ring-head.js";
import { registerAnswerMetrics } from "./answer-metrics.js";
import { registerClusterMetrics } from "./cluster-metrics.js";
import { registerStageMetrics } from "./stage-metrics.js";

/** What the HTTP API counts. */
export interface HttpCounts {
  readonly requests: Iterable<Reading>;
  readonly errors: Iterable<Reading>;
  readonly inFlight: number;
  seconds(): Iterable<DistributionReading>;
}

/** A ring whose head this node is. */
export interface OwnRing {
  record(): RingRecord;
  readonly head: Pick<RingHead, "received" | "deviceMemory"> | null;
}

export interface NodeMetricSources {
  readonly self: () => NodeRecord;
  readonly members: () => readonly Pick<Member, "state" | "record">[];
  readonly rings: () => readonly OwnRing[];
  /** Held for heads elsewhere. */
  readonly stages: () => readonly HeldStage[];
  readonly meters: NodeMeters;
  readonly http: HttpCounts;
}

/** Every metric of a node; `docs/observability.md` lists the same, and a test holds the two together. */
export function registerNodeMetrics(metrics: Metrics, sources: NodeMetricSources): void {
  registerHttpMetrics(metrics, sources.http);
  registerAnswerMetrics(metrics, sources);
  registerStageMetrics(metrics, sources);
  registerClusterMetrics(metrics, sources);
}

function registerHttpMetrics(metrics: Metrics, http: HttpCounts): void {
  metrics.counter(
    {
      name: "exo_native_http_requests_total",
      help: "HTTP requests that ended here; model is empty unless a ring of it exists",
      labels: ["method", "route", "status", "model"],
    },
    () => http.requests,
  );
  metrics.histogram(
    {
      name: "exo_native_http_request_duration_seconds",
      help: "From a request's arrival to the end of its answer",
      labels: ["route"],
    },
    () => http.seconds(),
  );
  metrics.gauge(
    { name: "exo_native_http_requests_in_flight", help: "HTTP requests being answered here", labels: [] },
    () => [{ labels: [], value: http.inFlight }],
  );
  metrics.counter(
    {
      name: "exo_native_http_errors_total",
      help: "HTTP requests that failed, by the code of docs/errors.md",
      labels: ["route", "code"],
    },
    () => http.errors,
  );
}
