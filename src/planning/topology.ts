/** What exists, as planning sees it. Filled from gossip by `cluster/`. */

/** A pool of memory that weights can be put in. Bytes. */
export interface TopologyDevice {
  /** ggml's name, e.g. `CPU`, `CUDA0`. */
  readonly name: string;
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator";
  readonly memoryTotal: number;
  readonly memoryFree: number;
}

export interface TopologyNode {
  readonly id: string;
  readonly name: string;
  readonly devices: readonly TopologyDevice[];
  /** Most bytes that the owner offers, or `null` for no cap. */
  readonly memoryCap: number | null;
}

export interface Topology {
  readonly nodes: readonly TopologyNode[];
}
