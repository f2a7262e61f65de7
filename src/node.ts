import type { Config } from "./config/config.js";
import type { InferenceService } from "./core/inference.js";
import type { Logger } from "./core/ports.js";

export interface NodeOptions {
  readonly config: Config;
  readonly logger: Logger;
}

/** What happens to the model that the node was started with, for progress bars. */
export interface PlacementProgress {
  readonly model: string;
  readonly state: "waiting" | "loading" | "ready" | "failed";
  /** Why it waits or failed, or `null`. */
  readonly reason: string | null;
  readonly stages: readonly {
    readonly nodeName: string;
    readonly layerBegin: number;
    readonly layerEnd: number;
    /** `waiting`, `fetch`, `load` or `loaded`. */
    readonly phase: string;
    /** 0…1 within its phase. */
    readonly progress: number;
  }[];
}

/** One running node: everything that `exo-native serve` starts. */
export interface ExoNode {
  readonly id: string;
  readonly name: string;
  /** `http://host:port` once started. */
  readonly httpUrl: string;
  /** `host:port` once started. */
  readonly grpcAddress: string;
  /** Answers for every model of the cluster, whichever node its head is. */
  readonly inference: InferenceService;
  /** Resolves with the model's API name when it is ready; rejects when it cannot be placed or the signal aborts. */
  whenReady(signal: AbortSignal): Promise<string>;
  onPlacementProgress(listener: (progress: PlacementProgress) => void): void;
  /** Idempotent. Ends streams with an error event and frees everything. */
  stop(): Promise<void>;
}
