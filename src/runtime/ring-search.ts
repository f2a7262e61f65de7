import type { RingRecord } from "../cluster/node-record.js";
import type { ExoError } from "../core/errors.js";

/** A ring that refused is asked again after so long, where there is no other; twice as long each further time. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

interface Refusal {
  readonly times: number;
  /** Milliseconds of the clock. */
  readonly until: number;
}

/** One request's look for a ring: which ones refused it, since when, and why. */
export class RingSearch {
  readonly model: string;
  readonly signal: AbortSignal;
  /** A ring that worked on the request is lost: this one is waited for, also where nothing is known of the model now. */
  isLost = false;
  /** Somebody has read the beginning of the answer. */
  isBegun = false;
  /** When the request itself says that it is too late; milliseconds of the clock. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #refusals = new Map<string, Refusal>();
  #since: number | null = null;
  #reason: ExoError | null = null;

  constructor(model: string, signal: AbortSignal) {
    this.model = model;
    this.signal = signal;
  }

  /** Since when it has no ring though there was one; `null`: a ring works on it, or the model was never there. */
  get since(): number | null {
    return this.#since;
  }

  /** Why it has none. */
  get reason(): ExoError | null {
    return this.#reason;
  }

  /** This ring, as it is loaded now, refused the request or broke under it. */
  refuse(ring: RingRecord, reason: ExoError, now: number): void {
    const times = (this.#refusals.get(keyOf(ring))?.times ?? 0) + 1;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1));
    this.#refusals.set(keyOf(ring), { times, until: now + pause });
    this.waitsSince(now);
    this.#reason = reason;
  }

  /** The model has had no ring since then; only the first call counts. */
  waitsSince(then: number): void {
    this.#since ??= then;
  }

  /** There is none now, for this reason. */
  note(reason: ExoError): void {
    this.#reason = reason;
  }

  /** A ring works on it. */
  taken(): void {
    this.#since = null;
  }

  /** It refused, at any time. */
  hasRefused(ring: RingRecord): boolean {
    return this.#refusals.has(keyOf(ring));
  }

  /** Milliseconds until this ring may be asked; 0: now. */
  pauseOf(ring: RingRecord, now: number): number {
    return Math.max(0, (this.#refusals.get(keyOf(ring))?.until ?? now) - now);
  }
}

/** What is loaded anew is another ring. */
function keyOf({ id, epoch }: RingRecord): string {
  return `${id}:${epoch}`;
}
