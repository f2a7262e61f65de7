import { orderSearch } from "./order-search.js";
import { decodeCosts, lapOf } from "./ring-costs.js";
import type { Solution } from "./ring-objective.js";
import type { RingProblem } from "./ring-problem.js";

/** Part of a lap that is given for it: less than predictions can tell apart. */
const SLACK = 0.02;
const BISECTIONS = 20;

/**
 * The same nodes in the same order, cut so that the busiest is as little busy as can be while a lap takes next to no longer.
 * Among nodes alike, any cut gives one stream the same speed, but prompts and several streams are quicker with an even one.
 */
export function evenCuts(problem: RingProblem, { ring, seconds }: Solution): Solution {
  if (ring.length === 1) return { ring, seconds };
  const costs = decodeCosts(problem, 1);
  const order = ring.map(({ node }) => node);
  let best: Solution = { ring, seconds };
  let [low, high] = [0, lapOf(costs, ring).busiest];
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    const found = orderSearch(costs, { busiest: middle }, order);
    if (found === null || found.seconds > seconds * (1 + SLACK)) {
      low = middle;
    } else {
      high = middle;
      best = found;
    }
  }
  return best;
}
