import { exactSearch, exactWork } from "./exact-search.js";
import { localSearch } from "./local-search.js";
import { latencyBound, throughputBound } from "./lower-bound.js";
import { decodeCosts } from "./ring-costs.js";
import { latencyObjective, type RingObjective, type Solution, throughputObjective } from "./ring-objective.js";
import type { RingProblem } from "./ring-problem.js";

/** What a ring is chosen for. */
export interface Aim {
  readonly strategy: "latency" | "throughput";
  /** Requests answered at once, which `throughput` is about. */
  readonly streams: number;
}

export interface SolvedRing extends Solution {
  /** How much quicker another ring may be at most, as a part of this one's time; 0: all rings were compared. */
  readonly gap: number;
}

/** Steps of arithmetic beyond which not all orders are compared: about a second. */
const MOST_WORK = 1.5e8;

export function objectiveOf(problem: RingProblem, { strategy, streams }: Aim): RingObjective {
  return strategy === "latency" ? latencyObjective(problem) : throughputObjective(problem, streams);
}

/** Whether every ring is compared; else a good one is looked for, and a bound says how good. */
export function isExact({ nodes, layerCount }: RingProblem, aim: Aim): boolean {
  // For each number of groups one search that finds nothing better, and some that do.
  const searches = aim.strategy === "latency" ? 1 : Math.ceil(2 * Math.sqrt(aim.streams)) + 8;
  return exactWork(nodes.length, layerCount) * searches <= MOST_WORK;
}

/** The best ring for the aim; `null` where the nodes cannot hold the model. */
export function solveRing(problem: RingProblem, aim: Aim): SolvedRing | null {
  if (problem.nodes.length === 0) return null;
  const objective = objectiveOf(problem, aim);
  const good = localSearch(problem, objective, decodeCosts(problem, 1));
  if (isExact(problem, aim)) {
    // Beginning below a good ring, most of the exact search is to show that there is no better one.
    const best = objective.best(exactSearch, good?.seconds ?? Number.POSITIVE_INFINITY) ?? good;
    return best === null ? null : { ...best, gap: 0 };
  }
  if (good === null) return null;
  const bound = aim.strategy === "latency" ? latencyBound(problem) : throughputBound(problem, aim.streams);
  return { ...good, gap: Math.max(0, 1 - bound / good.seconds) };
}
