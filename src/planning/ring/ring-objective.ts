import { decodeCosts, lapOf } from "./ring-costs.js";
import type { RingCosts, RingProblem, RingStage } from "./ring-problem.js";
import { type Found, type Limits, NO_LIMITS } from "./stage-table.js";

/** Finds the ring with the quickest lap within the limits, among all or among those of one order of nodes. */
export type Search = (costs: RingCosts, limits: Limits) => Found | null;

/** A ring with the seconds by which it is compared. */
export interface Solution {
  readonly ring: readonly RingStage[];
  readonly seconds: number;
}

/** What a ring is chosen for: as few seconds as can be. */
export interface RingObjective {
  /** Of a ring that is there. */
  of(ring: readonly RingStage[]): number;
  /** The best that the search can find, if better than `below`. */
  best(search: Search, below: number): Solution | null;
}

/** One token of one stream: the lap with one row. */
export function latencyObjective(problem: RingProblem): RingObjective {
  const costs = decodeCosts(problem, 1);
  return {
    of: (ring) => lapOf(costs, ring).seconds,
    best: (search, below) => {
      const found = search(costs, NO_LIMITS);
      return found !== null && found.seconds < below ? found : null;
    },
  };
}

/** So many rows in a micro-batch, in so many groups that follow each other round the ring. */
interface Grouping {
  readonly groups: number;
  readonly costs: RingCosts;
}

/** Two rings that differ by less than this part count as equally quick. */
const PRECISION = 1e-4;

/**
 * One token for each of so many streams, in groups that follow each other: a group's lap, or the busiest stage's (or
 * link's) work for all groups, whichever is more; with the number of groups for which that is least, as the scheduler finds it.
 */
export function throughputObjective(problem: RingProblem, streams: number): RingObjective {
  const groupings = groupingsOf(problem, streams);
  const seconds = (ring: readonly RingStage[], { groups, costs }: Grouping): number => {
    const lap = lapOf(costs, ring);
    return Math.max(lap.seconds, groups * lap.busiest);
  };
  return {
    of: (ring) => Math.min(...groupings.map((grouping) => seconds(ring, grouping))),
    best: (search, below) => {
      let best: Solution | null = null;
      for (const grouping of groupings) {
        const better = bisect(search, grouping, best?.seconds ?? below, (ring) => seconds(ring, grouping));
        if (better !== null) best = better;
      }
      return best;
    },
  };
}

function groupingsOf(problem: RingProblem, streams: number): readonly Grouping[] {
  const groupings: Grouping[] = [];
  for (let groups = 1; groups <= streams; groups++) {
    const costs = decodeCosts(problem, Math.ceil(streams / groups));
    // As many rows with more groups is never better.
    if (costs.rows !== groupings.at(-1)?.costs.rows) groupings.push({ groups, costs });
  }
  return groupings;
}

/**
 * The least round for one number of groups: rounds of T seconds can be had if a ring is there whose lap is no longer than
 * T when no stage and no link is busy for more than T/groups, and that holds for every longer T too.
 */
function bisect(
  search: Search,
  { groups, costs }: Grouping,
  below: number,
  secondsOf: (ring: readonly RingStage[]) => number,
): Solution | null {
  const within = (seconds: number): Solution | null => {
    const found = search(costs, { busiest: seconds / groups });
    return found === null || found.seconds > seconds ? null : { ring: found.ring, seconds: secondsOf(found.ring) };
  };
  let best = Number.isFinite(below) ? within(below * (1 - PRECISION)) : anyRing(search, costs, secondsOf);
  let impossible = 0;
  while (best !== null && best.seconds - impossible > best.seconds * PRECISION) {
    const middle = (best.seconds + impossible) / 2;
    const found = within(middle);
    if (found === null) impossible = middle;
    else best = found;
  }
  return best;
}

function anyRing(search: Search, costs: RingCosts, secondsOf: (ring: readonly RingStage[]) => number): Solution | null {
  const found = search(costs, NO_LIMITS);
  return found === null ? null : { ring: found.ring, seconds: secondsOf(found.ring) };
}
