import type { Figures } from "../figures.js";
import type { ClusterDocument } from "./ring-client.js";

type Stage = ClusterDocument["rings"][number]["stages"][number];
type Weights = Pick<Stage, "node_id" | "memory" | "planned_weights">;

/**
 * Bytes of weights against the plan, of the node that is furthest above it.
 *
 * @param pages node → resident bytes of the model's file; `null`: not known
 */
export function weightFigures(stages: readonly Weights[], pages: ReadonlyMap<string, number | null>): Figures {
  const overPlan = stages.map(({ memory, planned_weights }) => memory.weights / planned_weights);
  const pagesOverPlan = stages.flatMap(({ node_id, planned_weights }) => {
    const bytes = pages.get(node_id) ?? null;
    return bytes === null ? [] : [bytes / planned_weights];
  });
  return {
    weights_over_plan: Math.max(...overPlan),
    ...(pagesOverPlan.length === stages.length && { file_pages_over_plan: Math.max(...pagesOverPlan) }),
  };
}
