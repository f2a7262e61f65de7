import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Service } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";
import type { DiscoveredPeer, Discovery, ProbedPeer } from "../discovery/discovery.js";
import type { NodeHello, NodeService } from "../transport/node-service.js";
import { type NodeRecord, parseNodeRecord } from "./node-record.js";
import { isSelf, whyUnfit } from "./peer-fitness.js";

/** A peer's services, and the way to let go of the connection. */
export interface PeerClient extends Omit<NodeService, "hello"> {
  hello(self: NodeHello): Promise<NodeHello>;
  close(): void;
}

export type MemberState = "alive" | "suspect" | "gone";

/** Another node that takes, or took, part. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly address: HostPort;
  readonly state: MemberState;
  /** Why it is not alive, or `null`. */
  readonly reason: string | null;
  /** What it last said of itself. */
  readonly record: NodeRecord;
  readonly client: PeerClient;
}

export interface MembershipOptions {
  readonly hello: () => NodeHello;
  readonly connect: (address: HostPort) => PeerClient;
  /** Where this node listens, for a peer that does not know it from its own experience. */
  readonly ownAddress: () => HostPort;
  readonly heartbeatMs: number;
  /** Missed heartbeats until a member counts as gone. */
  readonly missesUntilGone: number;
  readonly logger: Logger;
}

interface Entry {
  member: Member;
  misses: number;
  timer: NodeJS.Timeout | null;
}

/**
 * Who is there. No master: every node keeps its own list, asks each peer for its record once per heartbeat, and drops
 * one that stays silent. A peer becomes a member when discovery reaches it or when it introduces itself.
 */
export class Membership implements Service {
  readonly name = "membership";
  readonly #options: MembershipOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #joining = new Set<string>();
  /** Peers that keep introducing themselves and cannot be reached; complained of once. */
  readonly #unreachable = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #discovery: Discovery | null = null;
  #unsubscribe: (() => void) | null = null;
  #stopped = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Members in order of their ids, so that every node lists them alike. */
  members(): readonly Member[] {
    return [...this.#entries.values()].map((entry) => entry.member).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  alive(): readonly Member[] {
    return this.members().filter((member) => member.state === "alive");
  }

  find(nodeId: string): Member | null {
    return this.#entries.get(nodeId)?.member ?? null;
  }

  ownAddress(): HostPort {
    return this.#options.ownAddress();
  }

  /** Calls back when members come, go or change state. Returns the way to unsubscribe. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Follows what `discovery` finds. */
  follow(discovery: Discovery): void {
    this.#discovery = discovery;
    this.#unsubscribe = discovery.onPeer((peer) => this.#found(peer));
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    for (const entry of this.#entries.values()) this.#close(entry);
    this.#entries.clear();
  }

  /** Asks the node at `address` who it is; for discovery. */
  async probe(address: HostPort, signal: AbortSignal): Promise<ProbedPeer> {
    const client = this.#options.connect(address);
    const hangUp = (): void => client.close();
    signal.addEventListener("abort", hangUp, { once: true });
    try {
      const peer = await client.hello(this.#options.hello());
      const own = this.#options.hello();
      const unusable = whyUnfit(own, peer, formatHostPort(address));
      return { nodeId: peer.nodeId, name: peer.name, self: isSelf(own, peer), unusable };
    } finally {
      signal.removeEventListener("abort", hangUp);
      client.close();
    }
  }

  /** A peer said hello, calling from `address`. Answered at once; it becomes a member when its record has been read. */
  introduced(peer: NodeHello, address: HostPort): void {
    if (whyUnfit(this.#options.hello(), peer, formatHostPort(address)) !== null) return;
    void this.#join(peer.nodeId, address);
  }

  #found(peer: DiscoveredPeer): void {
    if (peer.identity !== null) void this.#join(peer.identity.nodeId, peer.address);
  }

  async #join(nodeId: string, address: HostPort): Promise<void> {
    const known = this.#entries.get(nodeId);
    if (this.#stopped || this.#joining.has(nodeId) || (known !== undefined && known.member.state !== "gone")) return;
    this.#joining.add(nodeId);
    const client = this.#options.connect(address);
    try {
      const record = parseNodeRecord((await client.health()).record);
      this.#refuseSelf(record.id, address);
      this.#admit({ id: record.id, name: record.name, address, state: "alive", reason: null, record, client });
    } catch (thrown) {
      client.close();
      const error = ExoError.from(thrown, "peer_unreachable");
      const level = this.#unreachable.has(nodeId) ? "debug" : "warn";
      this.#unreachable.add(nodeId);
      this.#options.logger[level]({ address: formatHostPort(address), error: error.message }, "a peer could not join");
      this.#discovery?.lost(address, error.message);
    } finally {
      this.#joining.delete(nodeId);
    }
  }

  #refuseSelf(nodeId: string, address: HostPort): void {
    if (nodeId !== this.#options.hello().nodeId) return;
    throw new ExoError("invalid_argument", `${formatHostPort(address)} is this node itself.`);
  }

  #admit(member: Member): void {
    if (this.#stopped) {
      member.client.close();
      return;
    }
    const entry: Entry = { member, misses: 0, timer: null };
    this.#entries.set(member.id, entry);
    this.#unreachable.delete(member.id);
    this.#options.logger.info({ node: member.name, address: formatHostPort(member.address) }, "node joined");
    this.#schedule(entry);
    this.#changed();
  }

  #schedule(entry: Entry): void {
    entry.timer = setTimeout(() => void this.#beat(entry), this.#options.heartbeatMs);
  }

  async #beat(entry: Entry): Promise<void> {
    try {
      const record = parseNodeRecord((await entry.member.client.health()).record);
      if (record.id !== entry.member.id) {
        throw new ExoError("stage_lost", `${record.name} answers now where ${entry.member.name} was.`);
      }
      entry.misses = 0;
      this.#update(entry, { state: "alive", reason: null, record });
      // A peer that lost sight of this node (one of the two was asleep, say) learns that it is there again.
      const own = this.#options.hello();
      if (!record.knows.includes(own.nodeId)) await entry.member.client.hello(own);
    } catch (thrown) {
      this.#missed(entry, ExoError.from(thrown, "peer_unreachable"));
    }
    if (!this.#stopped && entry.member.state !== "gone") this.#schedule(entry);
  }

  #missed(entry: Entry, error: ExoError): void {
    entry.misses += 1;
    const gone = entry.misses >= this.#options.missesUntilGone;
    this.#update(entry, { state: gone ? "gone" : "suspect", reason: error.message });
    if (!gone || this.#stopped) return;
    this.#options.logger.warn({ node: entry.member.name, reason: error.message }, "node is gone");
    this.#close(entry);
    this.#discovery?.lost(entry.member.address, error.message);
  }

  #update(entry: Entry, change: Partial<Member>): void {
    const before = entry.member;
    entry.member = { ...before, ...change };
    if (before.state !== entry.member.state) this.#changed();
  }

  #close(entry: Entry): void {
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.member.client.close();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
