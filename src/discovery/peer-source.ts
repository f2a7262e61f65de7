import type { HostPort } from "../config/address.js";
import type { DiscoveryKind } from "../config/config.js";
import type { Service } from "../core/lifecycle.js";
import type { PeerIdentity, SourceReport } from "./discovery.js";

/** Addresses at which one peer may be, as a source found them. */
export interface Offer {
  readonly source: DiscoveryKind;
  /** What they come from, e.g. a host name. A later offer of the same origin replaces this one; without addresses it ends it. */
  readonly origin: string;
  readonly addresses: readonly HostPort[];
  /** As announced; `null` when only addresses are known. */
  readonly identity: PeerIdentity | null;
  /** It spoke just now, so addresses that did not answer are asked again at once. */
  readonly spoke: boolean;
}

/** Takes what sources find. */
export interface OfferSink {
  offer(offer: Offer): void;
}

/** One way of finding peers. */
export interface PeerSource extends Service {
  report(): SourceReport;
}

/** Rejects when the signal aborts. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;
