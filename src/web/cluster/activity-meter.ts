import type { RingCounts } from "../api/activity-document.js";
import { activityBetween, IDLE, type RingActivity } from "./activity.js";

/** A node tells what its rings do only while they do something; looks lie no further apart. Seconds. */
const LONGEST_LOOK = 1;
/** Nodes hear of each other's counts by heartbeats: what is closer together says nothing. Seconds. */
const SHORTEST_LOOK = 0.25;

/** Turns counts that come now and then into what is going on. */
export class ActivityMeter {
  #counts: readonly RingCounts[] = [];
  #at: number | null = null;
  #latest: ReadonlyMap<string, RingActivity> = new Map();

  /** What comes next is no continuation: it tells only where the counts stand. */
  restart(): void {
    this.#at = null;
  }

  /** @param now seconds, any origin */
  add(counts: readonly RingCounts[], now: number): ReadonlyMap<string, RingActivity> {
    const seconds = this.#at === null ? null : now - this.#at;
    if (seconds !== null && seconds < SHORTEST_LOOK) return this.#latest;
    const before = seconds === null ? counts : this.#counts;
    this.#latest = activityBetween(before, counts, Math.min(LONGEST_LOOK, seconds ?? 0));
    this.#counts = counts;
    this.#at = now;
    return this.#latest;
  }

  /** Nothing was told for a while: what was going on is over; what hops took last still holds. */
  idle(): ReadonlyMap<string, RingActivity> {
    this.#latest = new Map(this.#counts.map(({ id, hopMilliseconds }) => [id, { ...IDLE, hops: hopMilliseconds }]));
    return this.#latest;
  }
}
