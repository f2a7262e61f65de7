import type { Membership } from "../cluster/membership.js";
import type { Config } from "../config/config.js";
import type { InferenceService } from "../core/inference.js";
import { type Logger, systemClock } from "../core/ports.js";
import type { RingDirectory } from "./ring-choice.js";
import { Router } from "./router.js";
import type { TraceBuffer } from "./tracing/trace-buffer.js";

export interface CreateRouterOptions {
  readonly config: Pick<Config, "healTimeout" | "queue">;
  readonly local: InferenceService;
  readonly directory: RingDirectory;
  readonly membership: Pick<Membership, "refresh">;
  readonly traces: TraceBuffer;
  readonly logger: Logger;
}

/** The one that answers whatever this node is asked. */
export function createRouter({ config, membership, ...ports }: CreateRouterOptions): Router {
  return new Router({
    ...ports,
    healTimeoutMs: config.healTimeout * 1000,
    queueLimit: config.queue,
    refresh: (nodeId) => membership.refresh(nodeId),
    clock: systemClock,
  });
}
