import { explainStages } from "./explain.js";
import { explainRing } from "./explain-ring.js";
import { predictionNeeds, problemOf, rangesOf } from "./measured-plan.js";
import type { PlacementTask } from "./placement-task.js";
import type { Plan } from "./plan.js";
import { predictRing } from "./predict.js";
import { evenCuts } from "./ring/even-cuts.js";
import type { RingProblem } from "./ring/ring-problem.js";
import { type Aim, type SolvedRing, solveRing } from "./ring/solve-ring.js";
import { plannedStages } from "./stages.js";

/** The best ring of the nodes whose speed is known; `null` where they are none or cannot hold the model. */
export function placeBySpeed(task: PlacementTask): Plan | null {
  const { model, cost, nodes } = task;
  const aim = aimOf(task);
  const solved = solve(task, aim);
  if (solved === null) return null;
  const { problem, ring } = solved;
  const stages = plannedStages(cost, rangesOf(problem, ring.ring));
  const predicted = predictRing(problem, ring.ring, predictionNeeds(task));
  const { why, unused } = explainRing({ task, aim, problem, solved: ring });
  return {
    model,
    layerCount: cost.layerCount,
    stages,
    head: stages[0]?.nodeId ?? "",
    unused,
    strategy: task.strategy,
    predicted,
    reasons: explainStages({ aim: why, stages, unused, nodes, predicted, slots: task.needs.slots }),
  };
}

function aimOf({ strategy, needs }: PlacementTask): Aim {
  return { strategy: strategy === "throughput" ? "throughput" : "latency", streams: needs.slots };
}

/** With as many nodes as were asked for, or else as near to that as fits. */
function solve(task: PlacementTask, aim: Aim): { readonly problem: RingProblem; readonly ring: SolvedRing } | null {
  const most = Math.min(task.minNodes, task.nodes.length, task.cost.layerCount);
  for (let minStages = Math.max(1, most); minStages >= 1; minStages--) {
    const problem = problemOf(task, minStages);
    const ring = problem === null ? null : solveRing(problem, aim);
    if (problem === null || ring === null) continue;
    return { problem, ring: aim.strategy === "latency" ? { ...ring, ...evenCuts(problem, ring) } : ring };
  }
  return null;
}
