import type { Membership, Stranger } from "../cluster/membership.js";
import type { ModelManager } from "../cluster/model-manager.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { Config } from "../config/config.js";
import { keyFilePath } from "../config/keys/key-file.js";
import type { InferenceService } from "../core/inference.js";
import { isLoopback } from "../core/loopback.js";
import type { Logger } from "../core/ports.js";
import type { Discovery } from "../discovery/discovery.js";
import { ModelPaths, namedDirectories } from "../model/model-paths.js";
import type { MemoryWatch } from "../runtime/memory-watch.js";
import type { NodeMeters } from "../runtime/meters.js";
import type { RingHead } from "../runtime/ring-head.js";
import type { StageHost } from "../runtime/stage-host.js";
import type { TraceBuffer } from "../runtime/tracing/trace-buffer.js";
import { checkedInference, checkedLibrary, checkedPlanner, checkedRings } from "./access/checked-models.js";
import { ClusterState } from "./cluster-state.js";
import { createObservation } from "./observation/create-observation.js";
import type { Doctor, ModelLibrary, PlanningService } from "./ports.js";
import { ManagedRings } from "./ring-control.js";
import { type Api, createApi } from "./server.js";

/** The parts of a node that its API shows. */
export interface NodeParts {
  readonly config: Pick<
    Config,
    | "http"
    | "apiKey"
    | "allowedHost"
    | "corsOrigin"
    | "rateLimit"
    | "clientRequests"
    | "maxConnections"
    | "modelDir"
    | "model"
    | "pin"
    | "draftModel"
    | "onDemand"
    | "paths"
  >;
  readonly self: () => NodeRecord;
  /** `host:port` of its gRPC server. */
  readonly selfAddress: () => string;
  readonly systemFingerprint: string;
  readonly inference: InferenceService;
  readonly membership: Membership;
  /** Who was not let in at the door. */
  readonly refused: () => readonly Stranger[];
  readonly discovery: Discovery;
  readonly manager: ModelManager<RingHead>;
  readonly planner: PlanningService;
  readonly library: ModelLibrary;
  readonly stages: StageHost;
  readonly traces: TraceBuffer;
  readonly meters: NodeMeters;
  readonly memory: Pick<MemoryWatch, "notice">;
  readonly doctor?: Doctor;
  readonly logger: Logger;
}

/** The HTTP server of a node. */
export function createNodeApi(node: NodeParts): Api {
  const { membership, discovery, manager, config } = node;
  const state = new ClusterState({
    self: node.self,
    selfAddress: node.selfAddress,
    selfFault: () => membership.ownFault() ?? node.memory.notice(),
    members: () => membership.members(),
    strangers: () => [...membership.strangers(), ...node.refused()],
    seen: () => discovery.peers(),
    sources: () => discovery.sources(),
    known: () => manager.loadable(),
  });
  const paths = modelPaths(node);
  return createApi({
    inference: config.onDemand === "any" ? checkedInference(node.inference, paths) : node.inference,
    models: state,
    cluster: state,
    planner: checkedPlanner(node.planner, paths),
    library: checkedLibrary(node.library, paths),
    rings: checkedRings(new ManagedRings(manager), paths),
    nodes: manager,
    observation: createObservation({ ...node, activity: () => state.activity() }),
    ...(node.doctor === undefined ? {} : { doctor: node.doctor }),
    logger: node.logger,
    host: listenHost(config),
    port: config.http.port,
    systemFingerprint: node.systemFingerprint,
    apiKeys: config.apiKey,
    keyFile: keyFilePath(config.paths.configDir),
    allowedHosts: config.allowedHost,
    corsOrigins: config.corsOrigin,
    rateLimit: config.rateLimit,
    clientRequests: config.clientRequests,
    maxConnections: config.maxConnections,
  });
}

function listenHost({ http }: Pick<Config, "http">): string {
  return http.host ?? "127.0.0.1";
}

/** Who reaches a node on loopback is on this machine already; others get no further than its owner's models. */
function modelPaths({ config, manager, membership }: NodeParts): ModelPaths {
  const anywhere = isLoopback(listenHost(config)) && config.modelDir.length === 0;
  return new ModelPaths({
    directories: anywhere ? null : namedDirectories(config, config.paths.modelsDir),
    isKnown: (spec) =>
      manager.list().some(({ ring }) => ring.spec === spec || ring.askedAs === spec) ||
      membership.alive().some(({ record }) => record.models.some((model) => model.spec === spec)),
  });
}
