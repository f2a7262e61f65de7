import { orderSearch } from "./order-search.js";
import { hopSeconds, linkBusy } from "./ring-costs.js";
import type { RingObjective, Solution } from "./ring-objective.js";
import type { RingCosts, RingProblem } from "./ring-problem.js";

/**
 * A good ring without trying all: orders of the quickest and of the largest nodes, each number of them, with the best
 * cuts; the best of these is changed by one node at a time (left out, added, exchanged, moved) until nothing makes it better.
 */
export function localSearch(problem: RingProblem, objective: RingObjective, costs: RingCosts): Solution | null {
  const trial = new Trial(problem, objective);
  for (const order of startingOrders(problem, costs)) trial.tryOrder(order);
  while (trial.best !== null && trial.mayGoOn) {
    const before = trial.best;
    const order = before.ring.map(({ node }) => node);
    for (const changed of neighbours(order, problem.nodes.length)) trial.tryOrder(changed);
    if (trial.best === before) break;
  }
  return trial.best;
}

/** Layers × nodes × orders, which is about a second of work. */
const MOST_STEPS = 2e7;

class Trial {
  best: Solution | null = null;
  #steps = 0;
  readonly #problem: RingProblem;
  readonly #objective: RingObjective;

  constructor(problem: RingProblem, objective: RingObjective) {
    this.#problem = problem;
    this.#objective = objective;
  }

  get mayGoOn(): boolean {
    return this.#steps < MOST_STEPS;
  }

  tryOrder(order: readonly number[]): void {
    const { minStages, layerCount, nodes } = this.#problem;
    if (order.length < minStages || order.length > layerCount || !this.mayGoOn) return;
    this.#steps += layerCount * nodes.length;
    const found = orderSolution(this.#objective, order, this.best?.seconds);
    if (found !== null) this.best = found;
  }
}

/** The best ring with these nodes in this order, if better than `below`. */
export function orderSolution(
  objective: RingObjective,
  order: readonly number[],
  below = Number.POSITIVE_INFINITY,
): Solution | null {
  return objective.best((costs, limits) => orderSearch(costs, limits, order), below);
}

/** Each number of the quickest nodes, and of those that hold most, each next one as near to the last as can be. */
function startingOrders(problem: RingProblem, costs: RingCosts): readonly (readonly number[])[] {
  const { nodes, layerCount } = problem;
  const all = nodes.map((_, node) => node);
  const seconds = (node: number): number => costs.passes[node]?.upTo[layerCount] ?? Number.POSITIVE_INFINITY;
  const holds = (node: number): number => layerCount - (nodes[node]?.earliest[layerCount] ?? layerCount);
  const rankings = [
    all.toSorted((a, b) => seconds(a) - seconds(b) || a - b),
    all.toSorted((a, b) => holds(b) - holds(a) || seconds(a) - seconds(b) || a - b),
  ];
  return rankings.flatMap((ranking) => all.map((count) => chain(ranking.slice(0, count + 1), costs)));
}

/** The same nodes, the first as it is, then always the one with the quickest hop. */
function chain(nodes: readonly number[], costs: RingCosts): readonly number[] {
  const [first, ...rest] = nodes;
  const order = first === undefined ? [] : [first];
  while (rest.length > 0) {
    const last = order.at(-1) ?? 0;
    const ways = rest.map((node) => hopSeconds(costs, last, node, 1) + linkBusy(costs, node, last, 1));
    order.push(...rest.splice(ways.indexOf(Math.min(...ways)), 1));
  }
  return order;
}

/** Every order that differs by one node: left out, added anywhere, exchanged for an unused one, moved, or two swapped. */
function* neighbours(order: readonly number[], nodeCount: number): Generator<readonly number[]> {
  for (const at of order.keys()) if (order.length > 1) yield order.toSpliced(at, 1);
  for (let node = 0; node < nodeCount; node++) if (!order.includes(node)) yield* including(order, node);
  for (const [at, node] of order.entries()) {
    const rest = order.toSpliced(at, 1);
    for (let to = 0; to < order.length; to++) if (to !== at) yield rest.toSpliced(to, 0, node);
    for (let other = at + 1; other < order.length; other++)
      yield order.with(at, order[other] ?? node).with(other, node);
  }
}

/** Every order with another node, added anywhere or in the place of one of the others. */
export function* including(order: readonly number[], node: number): Generator<readonly number[]> {
  for (let at = 0; at <= order.length; at++) yield order.toSpliced(at, 0, node);
  for (const at of order.keys()) yield order.with(at, node);
}
