import { formatHostPort, type HostPort } from "../config/address.js";
import { Attention } from "../core/attention.js";
import { ExoError } from "../core/errors.js";
import type { Service } from "../core/lifecycle.js";
import { type Clock, systemClock } from "../core/ports.js";
import type { DiscoveredPeer, Discovery, ProbedPeer } from "../discovery/discovery.js";
import type { NodeHello } from "../transport/node-service.js";
import { toHostPort } from "./addresses.js";
import type { AddressOrigin } from "./membership/address-choice.js";
import type { Stamp } from "./membership/claim.js";
import { copiedIdentity } from "./membership/copied-identity.js";
import { Gossip } from "./membership/gossip.js";
import { MAX_NODES, MESSAGE_BYTES } from "./membership/gossip-message.js";
import { type GossipMessage, GossipState, type Received } from "./membership/gossip-state.js";
import type { Member, Stranger } from "./membership/member.js";
import type { MembershipOptions } from "./membership/membership-options.js";
import type { Peer, PeerView } from "./membership/peer.js";
import { Roster } from "./membership/roster.js";
import { Strangers } from "./membership/strangers.js";
import { Watch } from "./membership/watch.js";
import type { NodeRecord } from "./node-record.js";
import { isSelf, whyUnfit } from "./peer-fitness.js";

export type { Member, MemberAddress, MemberState, PeerClient, Stranger } from "./membership/member.js";
export type { MembershipOptions } from "./membership/membership-options.js";

/** Gossip goes to one peer per so many heartbeats, when there is no news. */
const HEARTBEATS_PER_ROUND = 2;
const FORGET_MS = 600_000;
/** Looks at who is silent, in one heartbeat. */
const LOOKS_PER_HEARTBEAT = 5;
/** An answer that takes no longer than so many heartbeats is no silence, however fast the others came. */
const LEAST_SILENCE = 1.3;
/** Milliseconds without a sign of it, after which a copy of this node is taken to be gone. */
const COPY_MS = 90_000;

/**
 * Who is there. No master: every node asks each other one for its record once per heartbeat, and tells what it knows to
 * one after the other, so that all come to know the same (docs/membership.md). What a node says itself, directly, counts
 * more than what others say of it.
 */
export class Membership implements Service {
  readonly name = "membership";
  /** Who falls silent. */
  readonly watch: Watch;
  readonly #options: MembershipOptions;
  readonly #clock: Clock;
  readonly #roster: Roster;
  readonly #gossip: Gossip;
  readonly #strangers = new Strangers();
  /** Peers that keep introducing themselves and cannot be reached; complained of once. */
  readonly #unreachable = new Set<string>();
  readonly #listeners = new Set<() => void>();
  readonly #followed: { readonly discovery: Discovery; readonly unsubscribe: () => void }[] = [];
  #knowledge: GossipState<NodeRecord> | null = null;
  #copy: { readonly reason: string; readonly at: number } | null = null;

  constructor(options: MembershipOptions) {
    const { hello, connect, kindOf = async () => null, clock = systemClock, record, logger } = options;
    const { heartbeatMs, missesUntilGone, silenceMs = LEAST_SILENCE * heartbeatMs } = options;
    const everyMs = heartbeatMs / LOOKS_PER_HEARTBEAT;
    const attention = new Attention(clock, everyMs);
    this.#options = options;
    this.#clock = clock;
    this.#roster = new Roster({
      ...{ hello, connect, kindOf, heartbeatMs, missesUntilGone, silenceMs, attention, clock },
      said: (id) => this.#state().said(id),
      onAnswer: (peer, answer, before) => this.#answered(peer, answer, before),
      onMiss: (peer, error, before) => this.#missed(peer, error, before),
      whyUnfit: (peer, address) => this.#whyUnfit(peer, address),
      onCopy: (peer, name, address) => void this.#copyOf(peer, name, address),
    });
    const onSilent = (): void => this.#changed();
    this.watch = new Watch({
      ...{ roster: this.#roster, attention, everyMs, logger, onSilent },
      onLook: () => this.#expire(),
    });
    this.#gossip = new Gossip({
      record,
      clock,
      logger,
      roster: this.#roster,
      state: () => this.#state(),
      intervalMs: heartbeatMs * HEARTBEATS_PER_ROUND,
      onNews: (received, from) => this.#heardOf(received, from),
      onLeave: (from) => this.#roster.get(from)?.left(),
    });
  }

  /** Members in order of their ids, so that every node lists them alike. */
  members(): readonly Member[] {
    return this.#roster.members();
  }

  alive(): readonly Member[] {
    return this.members().filter((member) => member.state === "alive");
  }

  find(nodeId: string): Member | null {
    return this.#roster.find(nodeId);
  }

  /** Who was met and takes no part, with the reason. */
  strangers(): readonly Stranger[] {
    return [...this.#strangers.list(this.#clock.monotonic()), ...this.#roster.unreached()];
  }

  ownAddress(): HostPort {
    return this.#options.ownAddress();
  }

  /** By which others know this node's record. */
  stamp(): Stamp {
    return this.#state().stamp;
  }

  /** What this node says of itself now, with its stamp. */
  ownRecord(): NodeRecord {
    return this.#gossip.publish();
  }

  /** What is wrong with this node in the eyes of others, as a sentence, or `null`. */
  ownFault(): string | null {
    const copy = this.#copy;
    return copy !== null && this.#clock.monotonic() - copy.at < COPY_MS ? copy.reason : null;
  }

  /** Calls back when members come, go or change state. Returns the way to unsubscribe. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something changed there: asks it soon instead of with the next heartbeat. */
  refresh(nodeId: string): void {
    this.#roster.get(nodeId)?.nudge();
  }

  /** Follows what `discovery` finds. */
  follow(discovery: Discovery): void {
    const unsubscribe = discovery.onPeer((peer) => this.#found(peer));
    this.#followed.push({ discovery, unsubscribe });
  }

  async start(): Promise<void> {
    this.#gossip.start();
    this.watch.start();
  }

  /** Tells the others that this node stops, so that they need not find out. Never rejects. */
  leave(): Promise<void> {
    return this.#gossip.leave();
  }

  async stop(): Promise<void> {
    for (const { unsubscribe } of this.#followed.splice(0)) unsubscribe();
    this.watch.stop();
    this.#gossip.stop();
    this.#roster.stop();
  }

  /** Asks the node at `address` who it is; for discovery. */
  async probe(address: HostPort, signal: AbortSignal): Promise<ProbedPeer> {
    const client = this.#options.connect(address);
    const hangUp = (): void => client.close();
    signal.addEventListener("abort", hangUp, { once: true });
    try {
      const peer = await client.hello(this.#options.hello());
      const self = isSelf(this.#options.hello(), peer);
      return { nodeId: peer.nodeId, name: peer.name, self, unusable: this.#whyUnfit(peer, address) };
    } finally {
      signal.removeEventListener("abort", hangUp);
      client.close();
    }
  }

  /**
   * A peer said hello, and listens, as far as can be seen from here, at `address`. It becomes a member when its record
   * has been read. Rejects when it is another process with the id of a member that is there.
   */
  async introduced(peer: NodeHello, address: HostPort): Promise<void> {
    // It learns from the answer why.
    if (this.#whyUnfit(peer, address) !== null) return;
    const known = this.#roster.get(peer.nodeId);
    known?.called(this.#clock.monotonic());
    if (known?.isUp && known.link.instance !== peer.instance && (await known.link.stillThere())) {
      throw this.#copyOf(known, peer.name, address);
    }
    this.#meet(peer.nodeId, address, "introduced");
  }

  /** Takes a peer's gossip; the answer is what the peer lacks. */
  async gossip(message: unknown): Promise<GossipMessage<NodeRecord>> {
    return this.#gossip.answer(message);
  }

  #state(): GossipState<NodeRecord> {
    if (this.#knowledge !== null) return this.#knowledge;
    const { hello, heartbeatMs, missesUntilGone, forgetMs = FORGET_MS } = this.#options;
    const { nodeId: id, instance } = hello();
    // Higher than before the last restart, unless the clock was set back; then others say so, and are outbid.
    const incarnation = Math.max(0, Math.floor(this.#clock.wall()));
    const suspectMs = heartbeatMs * (missesUntilGone - 1);
    const limits = { suspectMs, forgetMs, mostNodes: MAX_NODES, messageBytes: MESSAGE_BYTES };
    this.#knowledge = new GossipState({ id, instance, incarnation }, limits);
    return this.#knowledge;
  }

  #found({ identity, address }: DiscoveredPeer): void {
    if (identity !== null) this.#meet(identity.nodeId, address, "found");
  }

  #meet(id: string, address: HostPort, origin: AddressOrigin): void {
    const peer = this.#roster.ensure(id);
    if (peer === null) return;
    const isNew = peer.book.add(address, origin);
    if (peer.isUp && isNew) peer.measureNow();
    // One that calls again and again and cannot be reached is not asked each time.
    else if (!peer.isUp && (isNew || origin === "found")) peer.askNow();
    else if (!peer.isUp) peer.nudge();
  }

  #answered(peer: Peer, record: NodeRecord, before: PeerView): void {
    const wasGone = before.record === null || this.#state().said(peer.id)?.standing === "gone";
    const restarted = before.record !== null && before.record.instance !== record.instance;
    const mustHear = this.#state().heard(record, this.#clock.monotonic());
    const isBack = before.link !== "up" || restarted;
    if (wasGone || restarted) this.#welcome(peer, record, restarted);
    if (isBack) this.#changed();
    if (isBack || mustHear) this.#gossip.tell(peer.id);
    if (this.#told(peer, record)) peer.measureNow();
    // A peer that lost sight of this node (one of the two was asleep, say) learns that it is there again.
    const own = this.#options.hello();
    if (!record.knows.includes(own.nodeId)) peer.link.client?.hello(own).catch(() => {});
  }

  #welcome(peer: Peer, { name }: NodeRecord, restarted: boolean): void {
    const { address } = peer.link;
    if (address === null) return;
    this.#strangers.forget(address);
    this.#unreachable.delete(peer.id);
    const fields = { node: name, address: formatHostPort(address) };
    this.#options.logger.info(fields, restarted ? "node was started again" : "node joined");
    this.#gossip.spread();
  }

  #missed(peer: Peer, error: ExoError, before: PeerView): void {
    if (before.record === null && this.#state().said(peer.id) === null) {
      this.#couldNotJoin(peer, error);
      return;
    }
    const isFirst = before.link === "up";
    // One that others hear is not suspected again once it has contradicted: only the way from here is broken.
    const isUnheard = isFirst || !this.#roster.isVouchedFor(peer);
    if (isUnheard && this.#state().suspect(peer.id, this.#clock.monotonic())) this.#gossip.spread();
    if (isFirst) this.#changed();
    this.#expire();
  }

  #couldNotJoin(peer: Peer, error: ExoError): void {
    if (peer.isAwaited) return;
    const [first] = peer.link.addresses();
    const address = first === undefined ? null : formatHostPort(first.address);
    const level = this.#unreachable.has(peer.id) ? "debug" : "warn";
    if (this.#unreachable.size < MAX_NODES) this.#unreachable.add(peer.id);
    this.#options.logger[level]({ address, error: error.message }, "a peer could not join");
    this.#roster.remove(peer.id);
    this.#lost(peer, error.message);
  }

  #expire(): void {
    if (this.#roster.all().length === 0) return;
    const linkTo = (id: string) => this.#roster.linkTo(id);
    const { gone, forgotten } = this.#state().expire(this.#clock.monotonic(), linkTo);
    for (const id of gone) this.#gone(id);
    for (const id of forgotten) this.#roster.remove(id);
    if (gone.length > 0) this.#gossip.spread();
    if (gone.length + forgotten.length > 0) this.#changed();
  }

  #gone(id: string): void {
    const peer = this.#roster.get(id);
    const view = peer?.view();
    if (peer === null || view?.record == null || view.link === "up") return;
    const { record, reason } = view;
    this.#options.logger.warn({ node: record.name, reason }, "node is gone");
    this.#lost(peer, reason ?? `${record.name} is gone.`);
  }

  #lost(peer: Peer, reason: string): void {
    for (const { discovery } of this.#followed) {
      for (const { address } of peer.link.addresses()) discovery.lost(address, reason);
    }
  }

  /** Gossip changed what is known of these. */
  #heardOf({ changed, contradicted, copied }: Received, from: string): void {
    if (copied)
      this.#isCopied(
        copiedIdentity(this.#state().stamp.id, "this node", `another node, as ${this.#roster.nameOf(from)} says,`),
      );
    for (const id of changed) this.#followUp(id);
    if (contradicted || changed.size > 0) this.#gossip.spread();
    if (changed.size > 0) this.#changed();
  }

  #followUp(id: string): void {
    const said = this.#state().said(id);
    const peer = said === null ? null : this.#roster.ensure(id);
    if (said === null || peer === null) return;
    if (!peer.isUp) {
      this.#told(peer, said.record);
      if (said.standing === "gone") this.#gone(id);
      else peer.askNow();
    } else if (said.standing !== "alive") {
      // It answers here, so it has to hear what is said of it, and contradict.
      this.#gossip.tell(id);
    }
  }

  /** Returns whether it tells of an address that was not known. */
  #told(peer: Peer, { addresses }: NodeRecord): boolean {
    return peer.book.told(addresses.flatMap((text) => toHostPort(text) ?? []));
  }

  /** Why a node cannot be used although it answers or calls, as a sentence, or `null`. */
  #whyUnfit(peer: NodeHello, address: HostPort): string | null {
    const own = this.#options.hello();
    const reason = whyUnfit(own, peer, formatHostPort(address));
    if (reason !== null && own.nodeId === peer.nodeId && !isSelf(own, peer)) this.#isCopied(reason);
    return reason;
  }

  /** Another process has this node's id. */
  #isCopied(reason: string): void {
    if (this.ownFault() === null) this.#options.logger.error({ id: this.#options.hello().nodeId }, reason);
    this.#copy = { reason, at: this.#clock.monotonic() };
  }

  #copyOf(peer: Peer, name: string, address: HostPort): ExoError {
    const other = `${name} at ${formatHostPort(address)}`;
    const reason = copiedIdentity(peer.id, this.#roster.nameOf(peer.id), other);
    const isNews = this.#strangers.met(peer.id, name, address, reason, this.#clock.monotonic());
    if (isNews) this.#options.logger.error({ id: peer.id }, reason);
    return new ExoError("invalid_argument", reason);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
