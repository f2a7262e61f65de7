import { formatHostPort } from "../../config/address.js";
import { ExoError } from "../../core/errors.js";
import type { Clock, Logger } from "../../core/ports.js";
import { resolvedWithin } from "../../core/waiting.js";
import { isLinkLocal } from "../../discovery/subnets.js";
import { toHostPort } from "../addresses.js";
import type { NodeRecord } from "../node-record.js";
import { digestOf } from "./digest.js";
import { readGossip } from "./gossip-message.js";
import { GossipRounds, type Partner } from "./gossip-rounds.js";
import type { GossipMessage, GossipState, Received } from "./gossip-state.js";
import type { Roster } from "./roster.js";

export interface GossipOptions {
  readonly state: () => GossipState<NodeRecord>;
  /** What this node says of itself now. */
  readonly record: () => NodeRecord;
  readonly roster: Roster;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the node `from` said changed something. */
  readonly onNews: (received: Received, from: string) => void;
  /** The node `from` said that it stops. */
  readonly onLeave: (from: string) => void;
}

/** Peers are told off for the same thing once. */
const MOST_COMPLAINTS = 256;
/** For the others to hear that this node stops. */
const LEAVE_MS = 500;

/** What this node tells others of everybody, and what it takes from them. */
export class Gossip {
  readonly #options: GossipOptions;
  readonly #rounds: GossipRounds;
  readonly #complaints = new Set<string>();
  #hasLeft = false;

  constructor(options: GossipOptions) {
    this.#options = options;
    this.#rounds = new GossipRounds({
      partners: () => this.#partners(),
      question: () => this.#question(),
      take: (answer, partner) => this.#takeAnswer(answer, partner),
      intervalMs: options.intervalMs,
      logger: options.logger,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): void {
    this.#rounds.stop();
  }

  /** There is news for everybody. */
  spread(): void {
    this.#rounds.spread();
  }

  /** There is news for this one. */
  tell(id: string): void {
    this.#rounds.tell(id);
  }

  /** Tells everybody that this node is gone, and answers nobody any more: an answer would be a sign of life. */
  async leave(): Promise<void> {
    this.stop();
    this.#hasLeft = true;
    const partners = this.#partners();
    if (partners.length === 0) return;
    const { stamp } = this.#options.state();
    const digests = [digestOf(stamp, "gone", 0, true)];
    const told = partners.map((partner) =>
      partner.gossip({ from: stamp.id, digests, items: [], wanted: [] }).catch(() => {}),
    );
    await resolvedWithin(Promise.all(told), LEAVE_MS);
  }

  /** What this node says of itself now, with its stamp. */
  publish(): NodeRecord {
    if (this.#hasLeft) throw new ExoError("not_ready", "This node is stopping.");
    return this.#options.state().publish(this.#options.record());
  }

  /** The answer to a peer's gossip: what it lacks, and what it is asked for. */
  answer(value: unknown): GossipMessage<NodeRecord> {
    const { state, roster, clock } = this.#options;
    const { message, faults } = readGossip(value);
    this.publish();
    roster.get(message.from)?.called(clock.monotonic());
    this.#take(message, message.from, faults);
    return this.#located(state().answer(message, clock.monotonic(), (id) => roster.hears(id)));
  }

  #question(): GossipMessage<NodeRecord> {
    const { state, roster, clock } = this.#options;
    const { id } = this.publish();
    return {
      from: id,
      digests: state().digests(clock.monotonic(), (other) => roster.hears(other)),
      items: [],
      wanted: [],
    };
  }

  /** Returns what the answer asks for, or `null`. */
  #takeAnswer(answer: unknown, partner: Partner): GossipMessage<NodeRecord> | null {
    const { state, clock } = this.#options;
    const { message, faults } = readGossip(answer);
    this.#take(message, partner.id, faults);
    if (message.wanted.length === 0) return null;
    const items = state().items(message.wanted, clock.monotonic());
    return this.#located({ from: state().stamp.id, digests: null, items, wanted: [] });
  }

  #take(message: GossipMessage<NodeRecord>, from: string, faults: readonly string[]): void {
    const { state, roster, clock, onNews } = this.#options;
    if (message.digests?.some(({ id, standing }) => id === from && standing === "gone")) this.#options.onLeave(from);
    const received = state().receive(message, clock.monotonic());
    const full = received.refused.length > 0 ? ["more nodes than there is room for"] : [];
    for (const fault of [...faults, ...full]) this.#complain(from, fault);
    for (const { record, at } of message.items) {
      const address = at === null ? null : toHostPort(at);
      if (address !== null && state().said(record.id) !== null) roster.ensure(record.id)?.book.add(address, "relayed");
    }
    onNews(received, from);
  }

  #complain(from: string, fault: string): void {
    const { logger, roster } = this.#options;
    const key = `${from} ${fault}`;
    if (this.#complaints.has(key)) return;
    if (this.#complaints.size >= MOST_COMPLAINTS) this.#complaints.clear();
    this.#complaints.add(key);
    logger.warn({ node: roster.nameOf(from), id: from }, `${roster.nameOf(from)} passed on ${fault}; it is not used`);
  }

  /** With where this node reaches those it tells of, for those who cannot reach them where they say they are. */
  #located(message: GossipMessage<NodeRecord>): GossipMessage<NodeRecord> {
    const items = message.items.map((item) => {
      const peer = this.#options.roster.get(item.record.id);
      const address = peer?.isUp ? peer.link.address : null;
      // Each machine names its links in its own way.
      const means = address != null && !isLinkLocal(address.host);
      return { ...item, at: means ? formatHostPort(address) : null };
    });
    return { ...message, items };
  }

  #partners(): readonly Partner[] {
    const { roster } = this.#options;
    return roster.all().flatMap(({ id, isUp, link: { client } }) => {
      if (!isUp || client === null) return [];
      return [{ id, name: roster.nameOf(id), gossip: (message: unknown) => client.gossip(message) }];
    });
  }
}
