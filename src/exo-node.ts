import type { Doctor } from "./api/ports.js";
import type { PlacementProgress } from "./cluster/placement-progress.js";
import type { Config } from "./config/config.js";
import type { ExoError } from "./core/errors.js";
import type { InferenceService } from "./core/inference.js";
import type { Logger } from "./core/ports.js";
import type { Role } from "./transport/peer-certificate.js";

export interface NodeOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Looks at this machine for `GET /cluster/doctor`; absent: the route says that it cannot. */
  readonly doctor?: Doctor;
  /**
   * A computing thread hangs, and nothing but the end of the process frees it. Its rings are broken; the log says why.
   * Absent: only that.
   */
  readonly onHang?: (error: ExoError) => void;
  /** The id that the node had before it crashed; absent or `null`: as the configuration says. */
  readonly nodeId?: string | null;
}

/** One running node: everything that `exo-native serve` starts. */
export interface ExoNode {
  readonly id: string;
  readonly name: string;
  /** `http://host:port` once started. */
  readonly httpUrl: string;
  /** `host:port` once started. */
  readonly grpcAddress: string;
  /** The cluster with a secret that it is in, or `null`. */
  readonly cluster: { readonly name: string; readonly role: Role } | null;
  /** Answers for every model of the cluster, whichever node its head is. */
  readonly inference: InferenceService;
  /** Resolves with the model's API name when it is ready; rejects when it cannot be placed or the signal aborts. */
  whenReady(signal: AbortSignal): Promise<string>;
  onPlacementProgress(listener: (progress: PlacementProgress) => void): void;
  /** Idempotent. Ends streams with an error event and frees everything. */
  stop(): Promise<void>;
}
