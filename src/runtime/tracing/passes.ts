import type { WayRound } from "../way-round.js";

/** One micro-batch that worked on a request. Milliseconds of the node's monotonic clock. */
export interface Pass {
  readonly kind: "prefill" | "decode";
  readonly begun: number;
  readonly ended: number;
  /** Of all requests in it. */
  readonly rows: number;
  readonly requests: number;
  /** That this request got. */
  readonly tokens: number;
  readonly way: WayRound | null;
}

/** Micro-batches that followed each other, added up. */
export interface PassGroup {
  begun: number;
  ended: number;
  microBatches: number;
  rows: number;
  tokens: number;
  /** At most, in one micro-batch. */
  requests: number;
  /** Seconds: four numbers for each leg of the way (in all, computing, in queues, sampling). */
  readonly legs: Float64Array;
  /** Seconds of each hop. */
  readonly hops: Float64Array;
}

/** Groups kept of one kind; a power of two. */
const MOST_GROUPS = 32;
export const LEG_NUMBERS = 4;

/**
 * The micro-batches of one request, one by one as long as there are few. When there are more than 32 groups, neighbours
 * are put together, and from then on each group takes twice as many: so an answer of any length takes the same room.
 */
export class PassGroups {
  readonly #groups: PassGroup[] = [];
  #perGroup = 1;

  get groups(): readonly PassGroup[] {
    return this.#groups;
  }

  add(pass: Pass): void {
    const last = this.#groups.at(-1);
    if (last !== undefined && last.microBatches < this.#perGroup && fits(last, pass)) {
      addTo(last, pass);
      return;
    }
    if (this.#groups.length >= MOST_GROUPS) this.#halve();
    this.#groups.push(groupOf(pass));
  }

  #halve(): void {
    const all = this.#groups.splice(0);
    this.#perGroup *= 2;
    for (const group of all) {
      const last = this.#groups.at(-1);
      const joins = last !== undefined && last.microBatches + group.microBatches <= this.#perGroup;
      if (joins && last.legs.length === group.legs.length) join(last, group);
      else this.#groups.push(group);
    }
    // Ways of different lengths do not add up; the oldest make room.
    if (this.#groups.length >= MOST_GROUPS) this.#groups.splice(0, this.#groups.length - MOST_GROUPS + 1);
  }
}

function fits(group: PassGroup, { way }: Pass): boolean {
  return group.hops.length === (way?.hops.length ?? 0) && group.legs.length === LEG_NUMBERS * (way?.legs.length ?? 0);
}

function groupOf({ begun, ended, rows, tokens, requests, way }: Pass): PassGroup {
  const legs = (way?.legs ?? []).flatMap(({ seconds, compute, queue, sampling }) => [
    seconds,
    compute,
    queue,
    sampling,
  ]);
  return {
    begun,
    ended,
    microBatches: 1,
    rows,
    tokens,
    requests,
    legs: Float64Array.from(legs),
    hops: Float64Array.from(way?.hops ?? []),
  };
}

/** In place: this is done for every token. */
function addTo(group: PassGroup, { begun, ended, rows, tokens, requests, way }: Pass): void {
  group.begun = Math.min(group.begun, begun);
  group.ended = Math.max(group.ended, ended);
  group.microBatches += 1;
  group.rows += rows;
  group.tokens += tokens;
  group.requests = Math.max(group.requests, requests);
  if (way === null) return;
  const { legs, hops } = group;
  let at = 0;
  for (const leg of way.legs) {
    legs[at] = (legs[at] ?? 0) + leg.seconds;
    legs[at + 1] = (legs[at + 1] ?? 0) + leg.compute;
    legs[at + 2] = (legs[at + 2] ?? 0) + leg.queue;
    legs[at + 3] = (legs[at + 3] ?? 0) + leg.sampling;
    at += LEG_NUMBERS;
  }
  for (let hop = 0; hop < hops.length; hop += 1) hops[hop] = (hops[hop] ?? 0) + (way.hops[hop] ?? 0);
}

function join(group: PassGroup, next: PassGroup): void {
  group.begun = Math.min(group.begun, next.begun);
  group.ended = Math.max(group.ended, next.ended);
  group.microBatches += next.microBatches;
  group.rows += next.rows;
  group.tokens += next.tokens;
  group.requests = Math.max(group.requests, next.requests);
  for (const [index, seconds] of next.legs.entries()) group.legs[index] = (group.legs[index] ?? 0) + seconds;
  for (const [index, seconds] of next.hops.entries()) group.hops[index] = (group.hops[index] ?? 0) + seconds;
}
