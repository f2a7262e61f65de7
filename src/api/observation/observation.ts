import type { TraceBuffer } from "../../runtime/tracing/trace-buffer.js";
import type { ClusterActivity } from "../events/cluster-activity.js";
import type { MetricsText } from "../routes/metrics.js";
import type { TraceSource } from "../routes/traces.js";
import type { ObservedRequestsOptions } from "./observed-requests.js";
import type { RequestCounts } from "./request-counts.js";

/** What a node lets its API see of its work, and where the API counts its own. */
export interface Observation {
  readonly counts: RequestCounts;
  readonly traces: TraceBuffer;
  readonly outer?: NonNullable<ObservedRequestsOptions["outer"]>;
  readonly metrics: MetricsText;
  /** Of the whole cluster. */
  readonly recorded: TraceSource;
  readonly activity: () => ClusterActivity;
  /** Between two looks for changes, while somebody reads the events. */
  readonly eventMilliseconds?: number;
}
