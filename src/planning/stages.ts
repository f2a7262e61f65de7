import { totalBytes } from "../model/memory-estimate.js";
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
    ...(index === 0 && cost.besideHead > 0 ? { besideBytes: cost.besideHead } : {}),
  }));
}

/** All that a stage takes of its node, with what is held beside it. */
export function stageBytes({ memory, besideBytes = 0 }: Pick<PlannedStage, "memory" | "besideBytes">): number {
  return totalBytes(memory) + besideBytes;
}
