import { MAX_INCARNATION } from "../stamp.js";
import { type Claim, mergeClaims, outweighs, type Stamp, type Standing } from "./claim.js";
import { type Digest, digestOf, lacking } from "./digest.js";

export interface GossipLimits {
  /** Milliseconds from suspicion to removal, unless the suspected node answers. */
  readonly suspectMs: number;
  /** Milliseconds that a node which is gone is remembered. */
  readonly forgetMs: number;
  readonly mostNodes: number;
  /** Of records in one message, as JSON; a single record may be larger. What does not fit comes with the next message. */
  readonly messageBytes: number;
}

/** This node's own link to another: it answers, it has just failed to, or it has failed to for long enough to judge. */
export type LinkState = "up" | "failing" | "down";

/** A claim, and where who tells it reaches the node (`host:port`), if it does. */
export interface GossipItem<R extends Stamp> extends Claim<R> {
  readonly at: string | null;
}

export interface GossipMessage<R extends Stamp> {
  /** Id of the sender. */
  readonly from: string;
  /** In a question everything the sender knows of, in an answer what the asker has to hear; `null`: nothing is asked. */
  readonly digests: readonly Digest[] | null;
  readonly items: readonly GossipItem<R>[];
  /** Ids of nodes whose records the sender asks for. */
  readonly wanted: readonly string[];
}

/** What a message changed. */
export interface Received {
  /** Nodes that are new here, stand otherwise than before, or are in another incarnation. */
  readonly changed: ReadonlySet<string>;
  /** This node had to contradict what is said of it. */
  readonly contradicted: boolean;
  /** Another process uses this node's id. */
  readonly copied: boolean;
  /** Nodes that found no room. */
  readonly refused: readonly string[];
}

interface Known<R> {
  readonly record: R;
  readonly standing: Standing;
  /** Monotonic milliseconds: since when it stands so. */
  readonly since: number;
}

/** A dead predecessor has left a few claims to outbid at most; a living copy bids again and again. */
const MOST_OUTBIDS = 8;

/**
 * What one node knows of all others, and how that changes: by what others say (`receive`), by what it hears itself
 * (`heard`, `suspect`), and with time (`expire`). No I/O, no clock: `now` is monotonic milliseconds.
 */
export class GossipState<R extends Stamp> {
  readonly #limits: GossipLimits;
  readonly #known = new Map<string, Known<R>>();
  #stamp: Stamp;
  #own: R | null = null;
  #published = "";
  /** By instance: how often a process with this node's id outbid it. */
  readonly #outbids = new Map<string, number>();
  #turn = 0;

  constructor(self: Omit<Stamp, "revision">, limits: GossipLimits) {
    this.#stamp = { ...self, revision: 0 };
    this.#limits = limits;
  }

  /** By which others know this node's record. */
  get stamp(): Stamp {
    return this.#stamp;
  }

  /** Takes what this node says of itself now; returns it with its stamp, which is a new one if it differs from the last. */
  publish(record: R): R {
    const text = JSON.stringify({ ...record, ...this.#stamp, revision: 0 });
    if (text !== this.#published) this.#stamp = { ...this.#stamp, revision: this.#stamp.revision + 1 };
    this.#published = text;
    this.#own = { ...record, ...this.#stamp };
    return this.#own;
  }

  /** What all together know of another node. */
  said(id: string): { readonly record: R; readonly standing: Standing } | null {
    return this.#known.get(id) ?? null;
  }

  /** Everything that is known, in short, this node first. */
  digests(now: number, hears: (id: string) => boolean): readonly Digest[] {
    const others = [...this.#known.values()].map(({ record, standing, since }) =>
      digestOf(record, standing, standing === "gone" ? now - since : 0, hears(record.id)),
    );
    return this.#own === null ? others : [digestOf(this.#own, "alive", 0, true), ...others];
  }

  /** Takes what others say. */
  receive({ digests, items }: Pick<GossipMessage<R>, "digests" | "items">, now: number): Received {
    const changed = new Set<string>();
    const refused: string[] = [];
    const aboutSelf: Digest[] = (digests ?? []).filter(({ id }) => id === this.#stamp.id);
    for (const item of items) {
      const { id } = item.record;
      if (id === this.#stamp.id) aboutSelf.push(digestOf(item.record, item.standing, 0, false));
      else if (this.#hasRoomFor(id)) this.#take(item, now, changed);
      else refused.push(id);
    }
    for (const digest of digests ?? []) this.#restand(digest, now, changed);
    return { changed, refused, ...this.#answerFor(aboutSelf) };
  }

  /** What the sender of `message` lacks, as an answer to it; after `receive`. */
  answer(message: GossipMessage<R>, now: number, hears: (id: string) => boolean): GossipMessage<R> {
    const from = this.#stamp.id;
    if (message.digests === null) {
      return { from, digests: null, items: this.items(message.wanted, now), wanted: [] };
    }
    const theirs = new Map(message.digests.map((digest) => [digest.id, digest]));
    const mine = new Map(this.digests(now, hears).map((digest) => [digest.id, digest]));
    const told = [...mine.values()].map((digest) => ({ digest, what: lacking(digest, theirs.get(digest.id)) }));
    const records = told.filter(({ what }) => what === "record").map(({ digest }) => digest.id);
    return {
      from,
      digests: told.filter(({ what }) => what === "standing").map(({ digest }) => digest),
      items: this.items([...new Set([...records, ...message.wanted])], now),
      wanted: [...theirs.values()].filter((digest) => this.#wants(digest, mine.get(digest.id))).map(({ id }) => id),
    };
  }

  /** Claims with their records, as many as one message may hold; each time from another one on, so that all get their turn. */
  items(ids: readonly string[], now: number): readonly GossipItem<R>[] {
    const items: GossipItem<R>[] = [];
    let bytes = 0;
    this.#turn += 1;
    for (let index = 0; index < ids.length; index += 1) {
      const claim = this.#claim(ids[(index + this.#turn) % ids.length] ?? "", now);
      if (claim === null) continue;
      bytes += JSON.stringify(claim.record).length;
      if (bytes > this.#limits.messageBytes && items.length > 0) break;
      items.push({ ...claim, at: null });
    }
    return items;
  }

  /**
   * A node said this of itself, directly. Returns whether it has to hear what is said of it here, so that it can
   * contradict.
   */
  heard(record: R, now: number): boolean {
    const known = this.#known.get(record.id);
    if (known === undefined && !this.#hasRoomFor(record.id)) return false;
    this.#take({ record, standing: "alive", goneMs: 0 }, now, new Set());
    const after = this.#known.get(record.id);
    return after !== undefined && (after.standing !== "alive" || after.record.incarnation > record.incarnation);
  }

  /** A node does not answer here. Returns whether that is news. */
  suspect(id: string, now: number): boolean {
    const known = this.#known.get(id);
    if (known?.standing !== "alive") return false;
    this.#known.set(id, { ...known, standing: "suspect", since: now });
    return true;
  }

  /**
   * Removes those who were suspected for long enough, if this node has reason of its own to, and forgets those who are
   * gone for long enough. Returns both.
   */
  expire(
    now: number,
    linkTo: (id: string) => LinkState,
  ): { readonly gone: readonly string[]; readonly forgotten: readonly string[] } {
    const gone: string[] = [];
    const forgotten: string[] = [];
    for (const [id, known] of this.#known) {
      const age = now - known.since;
      if (known.standing === "suspect" && age >= this.#limits.suspectMs && linkTo(id) === "down") {
        this.#known.set(id, { ...known, standing: "gone", since: now });
        gone.push(id);
      } else if (known.standing === "gone" && age >= this.#limits.forgetMs && linkTo(id) !== "up") {
        this.#known.delete(id);
        forgotten.push(id);
      }
    }
    return { gone, forgotten };
  }

  #claim(id: string, now: number): Claim<R> | null {
    if (id === this.#stamp.id) return this.#own === null ? null : { record: this.#own, standing: "alive", goneMs: 0 };
    const known = this.#known.get(id);
    if (known === undefined) return null;
    const { record, standing, since } = known;
    return { record, standing, goneMs: standing === "gone" ? now - since : 0 };
  }

  #take(claim: Claim<R>, now: number, changed: Set<string>): void {
    const { id } = claim.record;
    const before = this.#claim(id, now);
    const after = before === null ? claim : mergeClaims(before, claim);
    if (before === null && this.#isForgettable(claim)) return;
    const sameIncarnation = before?.record.incarnation === after.record.incarnation;
    const same = sameIncarnation && before?.standing === after.standing;
    if (!same) changed.add(id);
    const known = this.#known.get(id);
    const since = same && known !== undefined && after.standing !== "gone" ? known.since : now - after.goneMs;
    this.#known.set(id, { record: after.record, standing: after.standing, since });
  }

  /** Takes what a digest says of a node in the incarnation that is known here. */
  #restand({ id, incarnation, standing, goneMs }: Digest, now: number, changed: Set<string>): void {
    const known = this.#known.get(id);
    if (known?.record.incarnation !== incarnation || !outweighs(standing, known.standing)) return;
    this.#known.set(id, { ...known, standing, since: standing === "gone" ? now - goneMs : now });
    changed.add(id);
  }

  #wants(theirs: Digest, mine: Digest | undefined): boolean {
    if (theirs.id === this.#stamp.id) return false;
    if (mine === undefined && this.#isForgettable(theirs)) return false;
    return lacking(theirs, mine) === "record";
  }

  #isForgettable({ standing, goneMs }: { readonly standing: Standing; readonly goneMs: number }): boolean {
    return standing === "gone" && goneMs >= this.#limits.forgetMs;
  }

  /** Room is made of who has been gone the longest. */
  #hasRoomFor(id: string): boolean {
    if (this.#known.has(id) || this.#known.size < this.#limits.mostNodes) return true;
    const gone = [...this.#known.values()].filter(({ standing }) => standing === "gone");
    const oldest = gone.reduce<Known<R> | null>((a, b) => (a === null || b.since < a.since ? b : a), null);
    if (oldest === null) return false;
    return this.#known.delete(oldest.record.id);
  }

  /** Whoever is said to be less than alive, or to be in an incarnation of which it knows nothing, takes a higher one. */
  #answerFor(claims: readonly Digest[]): Pick<Received, "contradicted" | "copied"> {
    let contradicted = false;
    let copied = false;
    for (const claim of claims) {
      if (!this.#isContested(claim)) continue;
      const outbids = this.#countOutbid(claim.instance);
      copied ||= outbids > MOST_OUTBIDS;
      if (outbids > MOST_OUTBIDS || claim.incarnation >= MAX_INCARNATION) continue;
      this.#stamp = { ...this.#stamp, incarnation: claim.incarnation + 1 };
      if (this.#own !== null) this.publish(this.#own);
      contradicted = true;
    }
    return { contradicted, copied };
  }

  #isContested({ instance, incarnation, standing }: Digest): boolean {
    if (incarnation !== this.#stamp.incarnation) return incarnation > this.#stamp.incarnation;
    return standing !== "alive" || instance !== this.#stamp.instance;
  }

  /** 0 for what is said of this very process. */
  #countOutbid(instance: string): number {
    if (instance === this.#stamp.instance) return 0;
    const outbids = (this.#outbids.get(instance) ?? 0) + 1;
    if (this.#outbids.size < this.#limits.mostNodes || this.#outbids.has(instance))
      this.#outbids.set(instance, outbids);
    return outbids;
  }
}
