import type { RingCounts } from "../api/activity-document.js";
import { activityBetween, IDLE, type RingActivity } from "./activity.js";

/** A node tells what its rings do only while they do something; looks lie no further apart. Seconds. */
const LONGEST_LOOK = 1;

/** Turns counts that come now and then into what is going on. */
export class ActivityMeter {
  #counts: readonly RingCounts[] = [];
  #at: number | null = null;

  /** @param now seconds, any origin */
  add(counts: readonly RingCounts[], now: number): ReadonlyMap<string, RingActivity> {
    const seconds = this.#at === null ? 0 : Math.min(LONGEST_LOOK, now - this.#at);
    const activity = activityBetween(this.#counts, counts, seconds);
    this.#counts = counts;
    this.#at = now;
    return activity;
  }

  /** Nothing was told for a while: what was going on is over; what hops took last still holds. */
  idle(): ReadonlyMap<string, RingActivity> {
    return new Map(this.#counts.map(({ id, hopMilliseconds }) => [id, { ...IDLE, hops: hopMilliseconds }]));
  }
}
