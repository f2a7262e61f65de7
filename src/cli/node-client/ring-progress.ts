import type { PlacementProgress } from "../../cluster/placement-progress.js";
import { displayNames } from "../../core/display-names.js";
import type { ClusterDocument, RingDocument } from "./cluster-document.js";

/** How far a ring is, as the node that was asked tells it. */
export function ringProgress(cluster: ClusterDocument, ring: RingDocument): PlacementProgress {
  const names = displayNames(cluster.nodes);
  return {
    model: ring.model,
    state: ring.state === "ready" || ring.state === "failed" || ring.state === "waiting" ? ring.state : "loading",
    reason: ring.reason ?? null,
    stages: ring.stages.map((stage) => ({
      nodeName: names.get(stage.node_id) ?? stage.node_id,
      layerBegin: stage.layer_begin,
      layerEnd: stage.layer_end,
      plannedWeights: stage.planned_weights ?? 0,
      phase: stage.phase ?? "waiting",
      progress: stage.progress ?? 0,
    })),
  };
}
