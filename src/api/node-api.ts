import type { Membership } from "../cluster/membership.js";
import type { ModelManager } from "../cluster/model-manager.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { Config } from "../config/config.js";
import type { InferenceService } from "../core/inference.js";
import type { Logger } from "../core/ports.js";
import type { Discovery } from "../discovery/discovery.js";
import type { NodeMeters } from "../runtime/meters.js";
import type { RingHead } from "../runtime/ring-head.js";
import type { StageHost } from "../runtime/stage-host.js";
import type { TraceBuffer } from "../runtime/tracing/trace-buffer.js";
import { ClusterState } from "./cluster-state.js";
import { createObservation } from "./observation/create-observation.js";
import type { Doctor, ModelLibrary, PlanningService } from "./ports.js";
import { ManagedRings } from "./ring-control.js";
import { type Api, createApi } from "./server.js";

/** The parts of a node that its API shows. */
export interface NodeParts {
  readonly config: Pick<Config, "http" | "apiKey">;
  readonly self: () => NodeRecord;
  /** `host:port` of its gRPC server. */
  readonly selfAddress: () => string;
  readonly systemFingerprint: string;
  readonly inference: InferenceService;
  readonly membership: Membership;
  readonly discovery: Discovery;
  readonly manager: ModelManager<RingHead>;
  readonly planner: PlanningService;
  readonly library: ModelLibrary;
  readonly stages: StageHost;
  readonly traces: TraceBuffer;
  readonly meters: NodeMeters;
  readonly doctor?: Doctor;
  readonly logger: Logger;
}

/** The HTTP server of a node. */
export function createNodeApi(node: NodeParts): Api {
  const { membership, discovery, manager, config } = node;
  const state = new ClusterState({
    self: node.self,
    selfAddress: node.selfAddress,
    selfFault: () => membership.ownFault(),
    members: () => membership.members(),
    strangers: () => membership.strangers(),
    seen: () => discovery.peers(),
    sources: () => discovery.sources(),
    known: () => manager.loadable(),
  });
  return createApi({
    inference: node.inference,
    models: state,
    cluster: state,
    planner: node.planner,
    library: node.library,
    rings: new ManagedRings(manager),
    nodes: manager,
    observation: createObservation({ ...node, activity: () => state.activity() }),
    ...(node.doctor === undefined ? {} : { doctor: node.doctor }),
    logger: node.logger,
    host: config.http.host ?? "127.0.0.1",
    port: config.http.port,
    systemFingerprint: node.systemFingerprint,
    apiKeys: config.apiKey,
  });
}
