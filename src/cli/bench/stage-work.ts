import type { ClusterDocument, RingDocument } from "../node-client/cluster-document.js";

/** What a ring did between two looks at it, as far as its nodes tell. */
export interface RingWork {
  /** Seconds that each stage computed, in ring order; `null` where its node does not tell. */
  readonly computeSeconds: readonly (number | null)[];
  /** Milliseconds that a hop costs beyond computing, lately. */
  readonly hops: { readonly p50_ms: number; readonly p99_ms: number } | null;
}

/** @param ring as it was at the first look; one that was placed anew since then began to count anew, too */
export function workBetween(before: ClusterDocument, after: ClusterDocument, ring: RingDocument): RingWork {
  const later = after.rings.find(({ id, epoch }) => id === ring.id && epoch === ring.epoch);
  const computeSeconds = ring.stages.map((stage) => {
    const [begun, ended] = [before, after].map((cluster) => computedBy(cluster, ring, stage.node_id));
    return later === undefined || begun == null || ended == null || ended < begun ? null : ended - begun;
  });
  return { computeSeconds, hops: later?.hops ?? null };
}

function computedBy(cluster: ClusterDocument, ring: RingDocument, nodeId: string): number | null {
  const stages = cluster.nodes.find(({ id }) => id === nodeId)?.stages ?? [];
  const stage = stages.find(({ ring_id, epoch }) => ring_id === ring.id && epoch === ring.epoch);
  return stage?.work?.compute_seconds ?? null;
}
