import { decodeCosts } from "./ring-costs.js";
import type { RingCosts, RingProblem } from "./ring-problem.js";

/**
 * Seconds that no ring can beat: as if every layer took what the quickest node with room takes for its cheapest layer, layers
 * were divisible and links free.
 */
export function latencyBound(problem: RingProblem): number {
  return lapBound(decodeCosts(problem, 1));
}

/** The same for one token of each of so many streams. */
export function throughputBound(problem: RingProblem, streams: number): number {
  const bounds = Array.from({ length: streams }, (_, index) => {
    const groups = index + 1;
    const costs = decodeCosts(problem, Math.ceil(streams / groups));
    return Math.max(lapBound(costs), groups * busiestBound(costs));
  });
  return Math.min(...bounds);
}

interface Capacity {
  /** Of the cheapest layer. */
  readonly perLayer: number;
  readonly fixed: number;
  readonly layers: number;
}

function capacities({ problem, passes }: RingCosts): readonly Capacity[] {
  const { layerCount } = problem;
  return problem.nodes.map(({ earliest, canHead }, node) => {
    const upTo = passes[node]?.upTo;
    const each = Array.from({ length: layerCount }, (_, layer) => (upTo?.[layer + 1] ?? 0) - (upTo?.[layer] ?? 0));
    const longest = Array.from(earliest, (begin, end) => end - begin);
    return {
      perLayer: Math.min(...each),
      fixed: passes[node]?.fixed ?? 0,
      layers: Math.max(...longest, canHead.lastIndexOf(true)),
    };
  });
}

function lapBound(costs: RingCosts): number {
  let left = costs.problem.layerCount;
  let seconds = Math.min(...costs.passes.map(({ fixed, output }) => fixed + output));
  for (const { perLayer, layers } of capacities(costs).toSorted((a, b) => a.perLayer - b.perLayer)) {
    const taken = Math.min(left, Math.max(0, layers));
    seconds += taken * perLayer;
    left -= taken;
  }
  return left > 0 ? Number.POSITIVE_INFINITY : seconds;
}

/** The least time within which all nodes together could do all layers. */
function busiestBound(costs: RingCosts): number {
  const nodes = capacities(costs);
  const done = (seconds: number): number =>
    nodes.reduce((sum, { perLayer, fixed, layers }) => {
      return sum + Math.max(0, Math.min(layers, (seconds - fixed) / perLayer));
    }, 0);
  let [low, high] = [0, Math.max(...nodes.map(({ perLayer, fixed }) => fixed + perLayer * costs.problem.layerCount))];
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (done(middle) >= costs.problem.layerCount) high = middle;
    else low = middle;
  }
  return low;
}

const BISECTIONS = 40;
