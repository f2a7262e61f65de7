import type { ModelCost } from "./cost.js";
import type { PlannedStage } from "./plan.js";

/** A range on a node, before its memory is known. */
export interface StageRange {
  readonly nodeId: string;
  readonly begin: number;
  readonly end: number;
}

/** The ring of these ranges; the first is the head, where the ring closes, so it has both ends of the model. */
export function plannedStages(cost: ModelCost, ranges: readonly StageRange[]): readonly PlannedStage[] {
  return ranges.map(({ nodeId, begin, end }, index) => ({
    nodeId,
    layerBegin: begin,
    layerEnd: end,
    hasEmbedding: index === 0,
    hasOutput: index === 0,
    memory: cost.memory(begin, end, index === 0),
  }));
}
