import type { HostPort } from "../config/address.js";
import type { DiscoveryKind } from "../config/config.js";
import type { Service } from "../core/lifecycle.js";
import type { LocalLink } from "./interfaces.js";

/** What a peer says of itself when first asked. */
export interface PeerIdentity {
  readonly nodeId: string;
  readonly name: string;
}

export interface ProbedPeer extends PeerIdentity {
  /** It is the node that asked. */
  readonly self: boolean;
  /** Why it cannot be used although it answers, as a sentence; `null` when it can. */
  readonly unusable: string | null;
}

/** An address at which a peer may be, and what became of it. A peer with several addresses is listed with each. */
export interface DiscoveredPeer {
  readonly address: HostPort;
  /** What found it first. */
  readonly source: DiscoveryKind;
  /**
   * `searching`: not reached yet, or lost, and tried again. `reachable`: it answered.
   * `unused`: it answered, but cannot be used (another version or cluster, a clock that is wrong). `self`: this node.
   */
  readonly state: "searching" | "reachable" | "unused" | "self";
  /** As it said when it answered, else as it was announced; `null` when neither happened. */
  readonly identity: PeerIdentity | null;
  /** Why it is not `reachable`, as a sentence; `null` when it is, or before the first try has ended. */
  readonly reason: string | null;
  /** What this machine reaches the address through; `null` when that is not known. */
  readonly via: LocalLink | null;
}

/**
 * Asks a peer who it is. Rejects with `peer_unreachable` when nothing answers (it is asked again later), with any
 * other code when it answered and refused.
 */
export type PeerProbe = (address: HostPort, signal: AbortSignal) => Promise<ProbedPeer>;

/** How one way of finding peers is doing. */
export interface SourceReport {
  readonly kind: DiscoveryKind;
  readonly state: "running" | "unavailable";
  /** Where it looks, or why it cannot. */
  readonly detail: string | null;
}

/** Finds peers, in one way or several. */
export interface Discovery extends Service {
  /**
   * Calls back for each address that becomes reachable, also for those that already are; a peer with several addresses
   * comes several times. Returns the way to unsubscribe.
   */
  onPeer(listener: (peer: DiscoveredPeer) => void): () => void;
  /** Every address that was found, used or not. */
  peers(): readonly DiscoveredPeer[];
  /** Says that a peer stopped answering: it is searched again at all its addresses, and announced again when found. */
  lost(address: HostPort, reason: string): void;
  sources(): readonly SourceReport[];
}
