import { ExoError } from "../../core/errors.js";
import type { NodeRecord } from "../node-record.js";
import type { AddressBook } from "./address-book.js";
import type { LinkState } from "./gossip-state.js";
import type { PeerLink } from "./peer-link.js";

export interface PeerOptions {
  readonly id: string;
  readonly link: PeerLink;
  readonly book: AddressBook;
  readonly heartbeatMs: number;
  readonly missesUntilGone: number;
  readonly onAnswer: (peer: Peer, record: NodeRecord, before: PeerView) => void;
  readonly onMiss: (peer: Peer, error: ExoError, before: PeerView) => void;
}

/** What this node hears of a peer itself. */
export interface PeerView {
  readonly link: LinkState;
  /** What it last said, or `null` before it answered for the first time. */
  readonly record: NodeRecord | null;
  /** Why it does not answer, or `null`. */
  readonly reason: string | null;
}

/** Milliseconds between measurements of its addresses; the first, when all begins at once, is not the last word. */
const FIRST_MEASURE_MS = 3_000;
const MEASURE_MS = 30_000;
/** A peer that does not answer is asked ever more seldom, up to so many times the pause between heartbeats. */
const LONGEST_PAUSE = 2 ** 5;

/** A peer that called so lately lives, whether or not it can be reached. */
const CALLED_MS = 5_000;

/** Another node, asked for its record once per heartbeat for as long as it is known. */
export class Peer {
  readonly id: string;
  readonly link: PeerLink;
  readonly book: AddressBook;
  readonly #options: PeerOptions;
  #misses = 0;
  #departures = 0;
  #record: NodeRecord | null = null;
  #reason: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #measureTimer: NodeJS.Timeout | null = null;
  #asking = false;
  #askAgain = false;
  #nudged = false;
  #measuring = false;
  #stopped = false;
  /** Monotonic milliseconds; `null`: never. */
  #calledAt: number | null = null;

  constructor(options: PeerOptions) {
    this.id = options.id;
    this.link = options.link;
    this.book = options.book;
    this.#options = options;
    // Before it has answered it counts as one that does not.
    this.#misses = Math.max(1, options.missesUntilGone - 1);
  }

  view(): PeerView {
    return { link: this.#linkState(), record: this.#record, reason: this.#reason };
  }

  get isUp(): boolean {
    return this.#linkState() === "up";
  }

  /** It called this node. */
  called(now: number): void {
    this.#calledAt = now;
  }

  calledLately(now: number): boolean {
    return this.#calledAt !== null && now - this.#calledAt < CALLED_MS;
  }

  /** It is to be asked again at once: something new was heard of it meanwhile. */
  get isAwaited(): boolean {
    return this.#askAgain;
  }

  /** It said that it stops: it counts as one that does not answer. */
  left(): void {
    this.#departures += 1;
    this.#misses = this.#options.missesUntilGone;
    this.#reason = "It left.";
  }

  /** Asks now instead of after the pause. */
  askNow(): void {
    if (this.#asking) this.#askAgain = true;
    else void this.#ask();
  }

  /** It called: asks now, but only once until the pause would have been over anyway. */
  nudge(): void {
    if (this.#nudged || this.#asking) return;
    this.#nudged = true;
    void this.#ask();
  }

  /** Measures the ways to it now; a new one was heard of. */
  measureNow(): void {
    if (this.#measuring || this.#stopped || !this.isUp) return;
    if (this.#measureTimer !== null) clearTimeout(this.#measureTimer);
    void this.#measure();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of [this.#timer, this.#measureTimer]) if (timer !== null) clearTimeout(timer);
    this.link.close();
  }

  #linkState(): LinkState {
    if (this.#misses === 0) return "up";
    return this.#misses < this.#options.missesUntilGone ? "failing" : "down";
  }

  async #ask(): Promise<void> {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#asking = true;
    this.#askAgain = false;
    const before = this.view();
    const departures = this.#departures;
    try {
      const record = await (before.link === "down" ? this.link.search() : this.link.ask());
      this.#asking = false;
      if (this.#stopped) return;
      // What it answered before it said so counts no more.
      if (departures !== this.#departures) throw new ExoError("peer_unreachable", "It left.");
      this.#misses = 0;
      this.#nudged = false;
      this.#record = record;
      this.#reason = null;
      this.#options.onAnswer(this, record, before);
      if (before.link !== "up") this.measureNow();
    } catch (thrown) {
      this.#asking = false;
      if (this.#stopped) return;
      const error = ExoError.from(thrown, "peer_unreachable");
      this.#misses += 1;
      this.#reason = error.message;
      this.#options.onMiss(this, error, before);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped || this.#asking) return;
    const { heartbeatMs, missesUntilGone } = this.#options;
    const pause = heartbeatMs * Math.min(2 ** Math.max(0, this.#misses - missesUntilGone), LONGEST_PAUSE);
    const ask = (): void => {
      this.#nudged = false;
      void this.#ask();
    };
    this.#timer = setTimeout(ask, this.#askAgain ? 0 : pause);
  }

  async #measure(pause = FIRST_MEASURE_MS): Promise<void> {
    this.#measuring = true;
    await this.link.measure();
    this.#measuring = false;
    if (this.#stopped) return;
    const again = (): void => {
      if (this.isUp) void this.#measure(MEASURE_MS);
    };
    this.#measureTimer = setTimeout(again, pause).unref();
  }
}
