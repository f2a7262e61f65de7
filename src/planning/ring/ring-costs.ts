import { passCosts } from "../pass-time.js";
import { FRAME_BYTES, type RingCosts, type RingProblem, type RingStage, ROW_BYTES } from "./ring-problem.js";

/** The next tokens of so many sequences at once; where texts are read whole, so many texts. */
export function decodeCosts(problem: RingProblem, requests: number): RingCosts {
  const rows = requests * problem.requestRows;
  return {
    problem,
    rows,
    passes: problem.nodes.map(({ speed }) => passCosts(speed, rows, problem.cachedTokens, rows)),
    frameBytes: Float64Array.from(problem.rowBytes, (bytes) => FRAME_BYTES + rows * (ROW_BYTES + bytes)),
  };
}

/** How long a frame keeps the link busy. */
export function linkBusy({ problem, frameBytes }: RingCosts, from: number, to: number, layer: number): number {
  return (frameBytes[layer] ?? 0) / (problem.links[from]?.[to]?.bytesPerSecond ?? Number.POSITIVE_INFINITY);
}

/** From the end of one stage's computing to the beginning of the next one's. */
export function hopSeconds(costs: RingCosts, from: number, to: number, layer: number): number {
  return (costs.problem.links[from]?.[to]?.seconds ?? 0) + linkBusy(costs, from, to, layer);
}

/** How long one round keeps a stage's node busy; the head also computes the output head. */
export function stageBusy({ passes }: RingCosts, { node, begin, end }: RingStage, isHead: boolean): number {
  const pass = passes[node];
  if (pass === undefined) return Number.POSITIVE_INFINITY;
  return pass.fixed + (pass.upTo[end] ?? 0) - (pass.upTo[begin] ?? 0) + (isHead ? pass.output : 0);
}

/** What one round takes from the head back to it. */
export interface Lap {
  readonly seconds: number;
  /** The longest that a stage or a link is busy with it. */
  readonly busiest: number;
}

export function lapOf(costs: RingCosts, ring: readonly RingStage[]): Lap {
  const busy = ring.map((stage, index) => stageBusy(costs, stage, index === 0));
  const hops = ring.length === 1 ? [] : ring.map((stage, index) => hopFrom(ring, stage, index));
  const links = hops.map(([from, to, layer]) => linkBusy(costs, from, to, layer));
  const ways = hops.map(([from, to, layer]) => hopSeconds(costs, from, to, layer));
  return { seconds: sum(busy) + sum(ways), busiest: Math.max(...busy, ...links) };
}

function hopFrom(
  ring: readonly RingStage[],
  { node, end }: RingStage,
  index: number,
): readonly [from: number, to: number, layer: number] {
  const next = ring[(index + 1) % ring.length];
  return [node, next?.node ?? node, end];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
