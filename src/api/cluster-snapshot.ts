/**
 * What `GET /cluster` answers: the least that the web page and `exo-native status` rely on. These are wire names, in
 * snake_case like the rest of the HTTP API. More fields may be added anywhere.
 */
export interface ClusterSnapshot {
  /** The node that answers. */
  readonly node: { readonly id: string; readonly name: string; readonly version: string };
  readonly nodes: readonly ClusterNode[];
  readonly rings: readonly ClusterRing[];
  readonly [field: string]: unknown;
}

export interface ClusterNode {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** `host:port` of its gRPC server, as in use. */
  readonly address: string;
  /** Every address that is known of another node, best first. */
  readonly addresses?: readonly ClusterAddress[];
  readonly state: "alive" | "suspect" | "gone" | "refused";
  /** Why it is not used, when it is not. */
  readonly reason: string | null;
  readonly devices: readonly {
    readonly name: string;
    readonly description: string;
    /** `cpu`, `gpu`, `igpu` or `accelerator`. */
    readonly kind?: string;
    /** Bytes. */
    readonly memory_total: number;
    readonly memory_free: number;
  }[];
  readonly [field: string]: unknown;
}

export interface ClusterAddress {
  readonly address: string;
  readonly in_use: boolean;
  /** Of the interface it is reached through; `null` when that is not known. */
  readonly kind: string | null;
  /** Of a small call, milliseconds; `null`: not measured. */
  readonly rtt_ms: number | null;
  /** Why it cannot be used, or `null`. */
  readonly reason: string | null;
}

export interface ClusterRing {
  readonly id: string;
  readonly epoch: number;
  readonly model: string;
  /** `waiting`: for what `reason` says; nothing is loaded meanwhile. */
  readonly state: "waiting" | "loading" | "ready" | "failed";
  /** Why it is not ready, when that is known. */
  readonly reason: string | null;
  /** 0…1 while loading. */
  readonly progress: number;
  readonly layer_count: number;
  readonly context_size: number;
  readonly spec?: string;
  readonly pinned?: boolean;
  /** `null` while it is used. */
  readonly idle_seconds?: number | null;
  /** Unused for so long, it is unloaded; `null`: never. */
  readonly keep_alive_seconds?: number | null;
  /** In ring order, the head first. */
  readonly stages: readonly ClusterStage[];
  readonly [field: string]: unknown;
}

export interface ClusterStage {
  readonly node_id: string;
  /** Half-open layer range. */
  readonly layer_begin: number;
  readonly layer_end: number;
  /** Output head here. */
  readonly has_output: boolean;
  /** Bytes. */
  readonly memory: { readonly weights: number; readonly kv_cache: number; readonly compute: number };
  readonly [field: string]: unknown;
}
