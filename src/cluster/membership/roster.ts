import type { HostPort } from "../../config/address.js";
import type { Attention } from "../../core/attention.js";
import { displayNames } from "../../core/display-names.js";
import type { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import type { LinkKind } from "../../discovery/interface-kind.js";
import type { NodeHello } from "../../transport/node-service.js";
import type { NodeRecord } from "../node-record.js";
import { AddressBook } from "./address-book.js";
import type { Standing } from "./claim.js";
import { MAX_NODES } from "./gossip-message.js";
import type { LinkState } from "./gossip-state.js";
import type { Member, MemberState, PeerClient, Stranger } from "./member.js";
import { Peer, type PeerView } from "./peer.js";
import { PeerLink } from "./peer-link.js";

export interface RosterOptions {
  readonly hello: () => NodeHello;
  readonly connect: (address: HostPort) => PeerClient;
  readonly kindOf: (host: string) => Promise<LinkKind | null>;
  readonly heartbeatMs: number;
  readonly missesUntilGone: number;
  readonly silenceMs: number;
  readonly attention: Attention;
  readonly clock: Clock;
  /** What all together know of a node. */
  readonly said: (id: string) => { readonly record: NodeRecord; readonly standing: Standing } | null;
  readonly onAnswer: (peer: Peer, record: NodeRecord, before: PeerView) => void;
  readonly onMiss: (peer: Peer, error: ExoError, before: PeerView) => void;
  /** Why a node that answers cannot be used, as a sentence, or `null`. */
  readonly whyUnfit: (peer: NodeHello, address: HostPort) => string | null;
  readonly onCopy: (peer: Peer, name: string, address: HostPort) => void;
}

/** The other nodes that this one knows of, and its own link to each. */
export class Roster {
  readonly #options: RosterOptions;
  readonly #peers = new Map<string, Peer>();
  #stopped = false;

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  get(id: string): Peer | null {
    return this.#peers.get(id) ?? null;
  }

  all(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  /** The peer of that id, a new one if need be. `null`: this node itself, or no room. */
  ensure(id: string): Peer | null {
    const known = this.#peers.get(id);
    if (known !== undefined) return known;
    if (this.#stopped || this.#peers.size >= 2 * MAX_NODES || id === this.#options.hello().nodeId) return null;
    const peer = this.#create(id);
    this.#peers.set(id, peer);
    return peer;
  }

  remove(id: string): void {
    this.#peers.get(id)?.stop();
    this.#peers.delete(id);
  }

  stop(): void {
    this.#stopped = true;
    for (const id of [...this.#peers.keys()]) this.remove(id);
  }

  hears(id: string): boolean {
    return this.#peers.get(id)?.isUp ?? false;
  }

  /** As it counts for removal: whom another node hears is not removed because the way from here is broken. */
  linkTo(id: string): LinkState {
    const peer = this.#peers.get(id);
    if (peer === undefined) return "down";
    const { link } = peer.view();
    return link === "down" && this.#vouchers(peer).length > 0 ? "failing" : link;
  }

  /** What to call a node in sentences. */
  nameOf(id: string): string {
    return this.#options.said(id)?.record.name ?? `node ${id}`;
  }

  /** Whether it lives as far as others say, or its own calls show. */
  isVouchedFor(peer: Peer): boolean {
    return this.#callsHere(peer) || this.#vouchers(peer).length > 0;
  }

  /** In order of their ids, so that every node lists them alike. */
  members(): readonly Member[] {
    return this.all()
      .flatMap((peer) => this.#member(peer) ?? [])
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  find(id: string): Member | null {
    const peer = this.get(id);
    return peer === null ? null : this.#member(peer);
  }

  /** Those of whom others tell, and whom this node never reached. */
  unreached(): readonly Stranger[] {
    return this.all().flatMap((peer) => this.#unreached(peer) ?? []);
  }

  #create(id: string): Peer {
    const { hello, connect, kindOf, clock, whyUnfit, onCopy, ...options } = this.#options;
    const { heartbeatMs, missesUntilGone, silenceMs, attention, onAnswer, onMiss } = options;
    const book = new AddressBook();
    const link = new PeerLink({
      ...{ nodeId: id, book, hello, connect, kindOf, clock, whyUnfit },
      onCopy: (name, address) => onCopy(peer, name, address),
      onLate: (record) => peer.late(record),
    });
    const beats = { heartbeatMs, missesUntilGone, silenceMs, attention, clock };
    const peer: Peer = new Peer({ id, link, book, ...beats, onAnswer, onMiss });
    return peer;
  }

  #member(peer: Peer): Member | null {
    const { link: state, record: heard, reason } = peer.view();
    const { address, client } = peer.link;
    if (heard === null || address === null || client === null) return null;
    const said = this.#options.said(peer.id);
    const record = state === "up" || said === null ? heard : said.record;
    return {
      id: peer.id,
      name: record.name,
      address,
      addresses: peer.link.addresses(),
      state: memberState(state, said?.standing ?? "alive"),
      reason: state === "up" ? null : this.#whyNot(peer, reason ?? "It does not answer."),
      record,
      get client() {
        return peer.link.client ?? client;
      },
    };
  }

  #unreached(peer: Peer): Stranger | null {
    const said = this.#options.said(peer.id);
    const [first] = peer.link.addresses();
    const { record, reason } = peer.view();
    if (record !== null || said === null || said.standing === "gone" || first === undefined) return null;
    const firewall = this.#callsHere(peer) ? " It reaches this node, though: a firewall may be in the way." : "";
    const why = this.#whyNot(peer, reason ?? "It was not reached yet.") + firewall;
    return { id: peer.id, name: said.record.name, address: first.address, state: "unreachable", reason: why };
  }

  #whyNot(peer: Peer, reason: string): string {
    const vouchers = this.#vouchers(peer);
    return vouchers.length === 0 ? reason : `${reason} It is heard by ${vouchers.join(", ")}.`;
  }

  /** Names of the nodes that say that they hear it. */
  #vouchers(peer: Peer): readonly string[] {
    const others = this.all().filter((other) => other.isUp && other.id !== peer.id);
    const hearing = others.filter((other) => other.view().record?.knows.includes(peer.id));
    const names = displayNames(this.all().map(({ id }) => ({ id, name: this.nameOf(id) })));
    return hearing.map(({ id }) => names.get(id) ?? this.nameOf(id));
  }

  #callsHere(peer: Peer): boolean {
    return peer.calledLately(this.#options.clock.monotonic());
  }
}

/** That it answers here counts more than what others say. */
function memberState(link: LinkState, standing: Standing): MemberState {
  if (link === "up") return "alive";
  return standing === "gone" ? "gone" : "suspect";
}
