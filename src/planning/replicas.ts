import { ExoError } from "../core/errors.js";
import { rate } from "./explain.js";
import { problemOf } from "./measured-plan.js";
import { placeModel } from "./placement.js";
import { type PlacementRequest, placementTask } from "./placement-task.js";
import type { Plan } from "./plan.js";
import { throughputObjective } from "./ring/ring-objective.js";
import type { RingProblem } from "./ring/ring-problem.js";
import type { Topology } from "./topology.js";

/** The whole model on each of several nodes, or cut among them: whichever answers more. */
export interface ReplicaPlan {
  /** One for each copy of the model. */
  readonly plans: readonly Plan[];
  /** Tokens per second of all together, with as many answers at once as one ring has slots; `null`: not measured. */
  readonly tokensPerSecond: number | null;
  readonly reason: string;
}

/** Several small rings are harder to keep full than one, so they must be better by more than this part. */
const LEAST_GAIN = 0.05;

/**
 * A model that one node can hold, with nodes to spare: for `throughput` a copy on each of them, where that gives more
 * tokens than one ring of them all. Otherwise, and for other strategies, one plan, as `placeModel` makes it.
 */
export function placeReplicas(request: PlacementRequest): ReplicaPlan {
  const one = placeModel(request);
  const alone: ReplicaPlan = {
    plans: [one],
    tokensPerSecond: one.predicted?.aggregateTokensPerSecond ?? null,
    reason: "The model is placed once.",
  };
  const mayCopy = request.strategy === "throughput" && !request.layers && (request.minNodes ?? 1) <= 1 && !request.head;
  if (!mayCopy || alone.tokensPerSecond === null) return alone;
  const copies = copiesOf(request);
  if (copies === null || copies.tokensPerSecond <= alone.tokensPerSecond * (1 + LEAST_GAIN)) return alone;
  const names = copies.plans.length;
  return {
    ...copies,
    reason:
      `The model is placed ${names} times, because that gives ${rate(copies.tokensPerSecond)} together, and one ring ` +
      `${rate(alone.tokensPerSecond)}.`,
  };
}

/** A copy on every node that holds the model alone, if they are two or more. */
function copiesOf(request: PlacementRequest): { plans: readonly Plan[]; tokensPerSecond: number } | null {
  const problem = problemOf(placementTask(request), 1);
  if (problem === null) return null;
  const holders = problem.nodes.flatMap(({ canHead }, node) => (canHead[problem.layerCount] === true ? [node] : []));
  if (holders.length < 2) return null;
  const busy = dealt(problem, holders, request.needs.slots);
  const plans = busy.used.map((node) => placeModel({ ...request, topology: only(request, problem.nodes[node]?.id) }));
  return plans.length < 2 ? null : { plans, tokensPerSecond: busy.tokensPerSecond };
}

function only({ topology }: PlacementRequest, nodeId: string | undefined): Topology {
  const nodes = topology.nodes.filter(({ id }) => id === nodeId);
  if (nodes.length === 0) throw new ExoError("internal", `The planner knows no node ${nodeId}.`);
  return { nodes };
}

/** Streams dealt out one by one, each to where it is answered quickest, as a router by load does. */
function dealt(
  problem: RingProblem,
  holders: readonly number[],
  streams: number,
): { used: readonly number[]; tokensPerSecond: number } {
  const secondsWith = (node: number, count: number): number =>
    throughputObjective(problem, count).of([{ node, begin: 0, end: problem.layerCount }]);
  const counts = new Map(holders.map((node) => [node, 0]));
  for (let stream = 0; stream < streams; stream++) {
    const next = holders.map((node) => secondsWith(node, (counts.get(node) ?? 0) + 1));
    const node = holders[next.indexOf(Math.min(...next))] ?? 0;
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const used = holders.filter((node) => (counts.get(node) ?? 0) > 0);
  const rates = used.map((node) => (counts.get(node) ?? 0) / secondsWith(node, counts.get(node) ?? 1));
  return { used, tokensPerSecond: rates.reduce((sum, each) => sum + each, 0) };
}
