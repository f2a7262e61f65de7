import { type PlacementTask, PREDICTED_PROMPT } from "./placement-task.js";
import type { PlannedStage } from "./plan.js";
import { type Prediction, type PredictionNeeds, predictRing } from "./predict.js";
import { makeProblem } from "./ring/make-problem.js";
import type { RingProblem, RingStage } from "./ring/ring-problem.js";
import type { StageRange } from "./stages.js";

/** Tokens in the cache of a stream whose speed is predicted; a text that is read whole has none. */
function predictedDepth({ needs, textTokens }: PlacementTask): number {
  return textTokens === null ? Math.min(PREDICTED_PROMPT, needs.contextSize) : 0;
}

export function predictionNeeds({ needs, textTokens }: PlacementTask): PredictionNeeds {
  return { promptTokens: PREDICTED_PROMPT, microBatchSize: needs.ubatch, slots: needs.slots, textTokens };
}

/** The numbers of a task; `null` while nothing is measured. */
export function problemOf(task: PlacementTask, minStages: number): RingProblem | null {
  const { cost, cuts, nodes, speeds, wireType, head, textTokens } = task;
  if (speeds === null) return null;
  const [cachedTokens, requestRows] = [predictedDepth(task), textTokens ?? 1];
  return makeProblem({ cost, cuts, nodes, speeds, wireType, head, minStages, cachedTokens, requestRows });
}

/** What is to be expected of stages that were chosen in some other way; `null` where one of their nodes is not measured. */
export function predictStages(task: PlacementTask, stages: readonly PlannedStage[]): Prediction | null {
  const problem = problemOf(task, 1);
  if (problem === null) return null;
  const ring = stages.map(({ nodeId, layerBegin, layerEnd }) => {
    return { node: problem.nodes.findIndex(({ id }) => id === nodeId), begin: layerBegin, end: layerEnd };
  });
  return ring.some(({ node }) => node < 0) ? null : predictRing(problem, ring, predictionNeeds(task));
}

export function rangesOf(problem: RingProblem, ring: readonly RingStage[]): readonly StageRange[] {
  return ring.map(({ node, begin, end }) => ({ nodeId: problem.nodes[node]?.id ?? "", begin, end }));
}
