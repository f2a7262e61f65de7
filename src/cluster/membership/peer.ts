import type { Attention } from "../../core/attention.js";
import { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import { Silence } from "../../core/silence.js";
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
  /** Least milliseconds without an answer or another sign that are taken for silence. */
  readonly silenceMs: number;
  readonly attention: Attention;
  readonly clock: Clock;
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

/** The slowest of links and machines is waited for this long, in times of the least. */
const MOST_PATIENCE = 6;
/** An answer that takes so many times as long as it may is read still: it tells that the peer is there, and how slow. */
const LATE_ANSWERS = 3;

/** A peer that called so lately lives, whether or not it can be reached. */
const CALLED_MS = 5_000;

/** Another node, asked for its record once per heartbeat for as long as it is known. */
export class Peer {
  readonly id: string;
  readonly link: PeerLink;
  readonly book: AddressBook;
  readonly #options: PeerOptions;
  readonly #silence: Silence;
  /** Ends the wait for the answer that is due, asked for at this time. */
  #impatience = new AbortController();
  #askedAt = 0;
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
  #wellAt: number | null = null;

  constructor(options: PeerOptions) {
    this.id = options.id;
    this.link = options.link;
    this.book = options.book;
    this.#options = options;
    this.#silence = new Silence({ leastMs: options.silenceMs, mostMs: MOST_PATIENCE * options.silenceMs });
    // Before it has answered it counts as one that does not.
    this.#misses = Math.max(1, options.missesUntilGone - 1);
  }

  view(): PeerView {
    return { link: this.#linkState(), record: this.#record, reason: this.#reason };
  }

  get isUp(): boolean {
    return this.#linkState() === "up";
  }

  /** When it was last asked what it then answered: monotonic milliseconds; `null`: never. */
  get wellAt(): number | null {
    return this.#wellAt;
  }

  /** It called this node. */
  called(now: number): void {
    this.#calledAt = now;
    this.heard();
  }

  /** A sign of life came of it, other than the answer that is due. */
  heard(): void {
    this.#silence.heard(this.#options.attention.listened());
  }

  /**
   * Looks whether the answer that is due, at a time that was listened (`Attention`), is waited for long enough. Returns the
   * milliseconds that it was given when the peer has just fallen silent by that, else `null`.
   */
  judge(now: number): number | null {
    const { patienceMs } = this.#silence;
    const fellSilent = this.#silence.judge(now);
    if (this.#silence.isSilent && now - this.#askedAt >= patienceMs) this.#impatience.abort();
    return fellSilent ? patienceMs : null;
  }

  /** An answer came that was waited for no longer. */
  late(record: NodeRecord): void {
    if (this.#stopped || this.isUp) return;
    this.#answered(record);
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
    if (this.#misses === 0) return this.#silence.isSilent ? "failing" : "up";
    return this.#misses < this.#options.missesUntilGone ? "failing" : "down";
  }

  async #ask(): Promise<void> {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#asking = true;
    this.#askAgain = false;
    const before = this.view();
    const { attention, clock } = this.#options;
    const { lapses } = attention;
    const begun = clock.monotonic();
    this.#askedAt = attention.listened();
    const departures = this.#departures;
    try {
      const record = await this.#recordNow(before);
      this.#asking = false;
      if (this.#stopped) return;
      // What it answered before it said so counts no more.
      if (departures !== this.#departures) throw new ExoError("peer_unreachable", "It left.");
      this.#nudged = false;
      this.#wellAt = begun;
      this.#answered(record);
    } catch (thrown) {
      this.#asking = false;
      if (this.#stopped) return;
      // Deadlines passed while this process did not run; the answer may be there, unread.
      this.#askAgain ||= attention.lapses !== lapses;
      if (attention.lapses !== lapses) return this.#schedule();
      const error = ExoError.from(thrown, "peer_unreachable");
      this.#misses += 1;
      this.#reason = error.message;
      this.#options.onMiss(this, error, before);
    }
    this.#schedule();
  }

  #recordNow({ link, record }: PeerView): Promise<NodeRecord> {
    if (link === "down") return this.link.search();
    this.#impatience = new AbortController();
    if (record !== null) this.#silence.asked(this.#askedAt);
    return this.link.ask(this.#impatience.signal, LATE_ANSWERS * this.#silence.patienceMs);
  }

  #answered(record: NodeRecord): void {
    const before = this.view();
    this.#silence.answered(this.#options.attention.listened());
    this.#misses = 0;
    this.#record = record;
    this.#reason = null;
    this.#options.onAnswer(this, record, before);
    if (before.link !== "up") this.measureNow();
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
