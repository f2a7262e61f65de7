import type { HostPort } from "../config/address.js";
import type { DiscoveryKind } from "../config/config.js";
import type { Service } from "../core/lifecycle.js";

/** What a peer says of itself when first asked. */
export interface PeerIdentity {
  readonly nodeId: string;
  readonly name: string;
}

/** An address at which a peer may be, and what became of it. */
export interface DiscoveredPeer {
  readonly address: HostPort;
  readonly source: DiscoveryKind;
  /**
   * `searching`: not reached yet, or lost, and tried again. `reachable`: it answered.
   * `unused`: it answered, but cannot be used (this node itself, another version, not of this cluster).
   */
  readonly state: "searching" | "reachable" | "unused";
  readonly identity: PeerIdentity | null;
  /** Why it is not `reachable`, as a sentence; `null` when it is, or before the first try has ended. */
  readonly reason: string | null;
}

/**
 * Asks a peer who it is. Rejects with `peer_unreachable` when nothing answers (it is asked again later), with any
 * other code when it answered but cannot be used.
 */
export type PeerProbe = (address: HostPort, signal: AbortSignal) => Promise<PeerIdentity>;

/** One way of finding peers. */
export interface Discovery extends Service {
  /** Calls back for each peer that becomes reachable, also for those that already are. Returns the way to unsubscribe. */
  onPeer(listener: (peer: DiscoveredPeer) => void): () => void;
  /** All addresses seen since the start, used or not. */
  peers(): readonly DiscoveredPeer[];
  /** Says that a peer stopped answering: it is searched again, and announced again when found. */
  lost(address: HostPort, reason: string): void;
}
