import type { ClusterNode } from "../api/cluster-document.js";

const FILL_KINDS = ["weights", "kv", "compute", "other", "free"] as const;
export type FillKind = (typeof FILL_KINDS)[number];

export interface FillPart {
  readonly kind: FillKind;
  readonly label: string;
  /** Bytes. */
  readonly bytes: number;
  /** Of the whole, 0…1. */
  readonly share: number;
}

const LABELS: Readonly<Record<FillKind, string>> = {
  weights: "weights",
  kv: "KV cache",
  compute: "buffers",
  other: "other use",
  free: "free",
};

/**
 * What fills a node's memory, over all its devices and rings; empty when the node tells of none. Weights that are mapped
 * from the disk count as free memory to the system, so what rings hold is taken first.
 */
export function memoryFill({ devices, held }: Pick<ClusterNode, "devices" | "held">): readonly FillPart[] {
  const total = devices.reduce((sum, { memoryTotal }) => sum + memoryTotal, 0);
  if (total <= 0) return [];
  const systemFree = devices.reduce((sum, { memoryFree }) => sum + memoryFree, 0);
  const weights = held.reduce((sum, stage) => sum + stage.weights, 0);
  const kv = held.reduce((sum, stage) => sum + stage.kvCache, 0);
  const compute = held.reduce((sum, stage) => sum + stage.compute, 0);
  const own = weights + kv + compute;
  const other = Math.max(0, total - systemFree - own);
  const amounts = { weights, kv, compute, other, free: Math.max(0, total - own - other) };
  const whole = Math.max(total, own);
  return FILL_KINDS.map((kind) => ({
    kind,
    label: LABELS[kind],
    bytes: amounts[kind],
    share: amounts[kind] / whole,
  }));
}
