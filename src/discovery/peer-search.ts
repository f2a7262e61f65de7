import { formatHostPort, type HostPort } from "../config/address.js";
import type { DiscoveryKind } from "../config/config.js";
import type { Logger } from "../core/ports.js";
import { AddressSearch, type AddressSearchOptions, type AddressState } from "./address-search.js";
import type { DiscoveredPeer } from "./discovery.js";
import type { Offer, OfferSink } from "./peer-source.js";

export interface PeerSearchOptions extends Pick<AddressSearchOptions, "probe" | "sleep" | "linkTo"> {
  readonly logger: Logger;
}

interface Found {
  readonly search: AddressSearch;
  /** Of the first offer. */
  readonly source: DiscoveryKind;
  /** By origin, in order of arrival. */
  readonly offers: Map<string, Offer>;
}

/** Milliseconds. Most machines of a tailnet are none of this program's nodes, so these are asked seldom. */
const LONGEST_PAUSE: Readonly<Record<DiscoveryKind, number>> = { mdns: 5_000, static: 5_000, tailscale: 60_000 };

/** Anyone on a network can announce things; more than these are not looked at. */
const MOST_ADDRESSES = 1024;

/** Every address that any source offers, each searched once, whoever offers it. */
export class PeerSearch implements OfferSink {
  readonly #options: PeerSearchOptions;
  /** By `host:port`. */
  readonly #found = new Map<string, Found>();
  readonly #listeners = new Set<(peer: DiscoveredPeer) => void>();
  #started = false;

  constructor(options: PeerSearchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#started = true;
    for (const { search } of this.#found.values()) search.start();
  }

  async stop(): Promise<void> {
    this.#started = false;
    await Promise.all([...this.#found.values()].map(({ search }) => search.stop()));
  }

  offer(offer: Offer): void {
    const offered = new Set(offer.addresses.map(formatHostPort));
    for (const [key, { offers }] of this.#found) {
      if (!offered.has(key) && offers.delete(offer.origin)) this.#forget(key);
    }
    for (const address of offer.addresses) this.#add(address, offer);
  }

  onPeer(listener: (peer: DiscoveredPeer) => void): () => void {
    this.#listeners.add(listener);
    for (const peer of this.peers()) if (peer.state === "reachable") listener(peer);
    return () => this.#listeners.delete(listener);
  }

  peers(): readonly DiscoveredPeer[] {
    return [...this.#found.values()].map((found) => toPeer(found, found.search.state));
  }

  lost(address: HostPort, reason: string): void {
    const nodeId = this.#found.get(formatHostPort(address))?.search.state.identity?.nodeId;
    for (const [key, { search }] of this.#found) {
      const same = nodeId !== undefined && search.state.identity?.nodeId === nodeId;
      if (!same && key !== formatHostPort(address)) continue;
      search.lost(reason);
      this.#forget(key);
    }
  }

  #add(address: HostPort, offer: Offer): void {
    const key = formatHostPort(address);
    const known = this.#found.get(key);
    if (known !== undefined) {
      known.offers.set(offer.origin, offer);
      if (offer.spoke) known.search.wake();
      return;
    }
    if (this.#found.size >= MOST_ADDRESSES) {
      this.#options.logger.debug({ address: key, origin: offer.origin }, "too many addresses; this one is not asked");
      return;
    }
    const search = this.#searchOf(address, key);
    const found: Found = { search, source: offer.source, offers: new Map([[offer.origin, offer]]) };
    this.#found.set(key, found);
    if (this.#started) search.start();
  }

  /** An address that nothing offers any more is let go of, unless a peer is reached there. */
  #forget(key: string): void {
    const found = this.#found.get(key);
    if (found === undefined || found.offers.size > 0 || found.search.state.state === "reachable") return;
    this.#found.delete(key);
    void found.search.stop();
  }

  #searchOf(address: HostPort, key: string): AddressSearch {
    const { probe, sleep, linkTo } = this.#options;
    const longestPause = (): number => {
      const sources = [...(this.#found.get(key)?.offers.values() ?? [])].map(({ source }) => LONGEST_PAUSE[source]);
      return Math.min(...sources, LONGEST_PAUSE.tailscale);
    };
    const onChange = (state: AddressState, before: AddressState): void => this.#changed(key, state, before);
    return new AddressSearch(address, { probe, sleep, linkTo, longestPause, onChange });
  }

  #changed(key: string, state: AddressState, before: AddressState): void {
    const found = this.#found.get(key);
    if (found === undefined) return;
    const peer = toPeer(found, state);
    if (state.reason !== null && state.reason !== before.reason) {
      this.#options.logger[this.#isNews(found, peer) ? "warn" : "debug"]({ peer: key }, state.reason);
    }
    if (state.state === "reachable") for (const listener of this.#listeners) listener(peer);
    else this.#forget(key);
  }

  /** Whether people want to read why an address is not used: nobody else is there by another way, and somebody is meant. */
  #isNews({ offers }: Found, { state, identity, source }: DiscoveredPeer): boolean {
    if (state === "unused") return true;
    if (state === "self" || source === "tailscale") return false;
    return ![...this.#found.values()].some(({ search, offers: others }) => {
      if (search.state.state !== "reachable") return false;
      const sameNode = identity !== null && search.state.identity?.nodeId === identity.nodeId;
      return sameNode || [...offers.keys()].some((origin) => others.has(origin));
    });
  }
}

function toPeer({ offers, source }: Found, state: AddressState): DiscoveredPeer {
  const announced = [...offers.values()].find(({ identity }) => identity !== null)?.identity ?? null;
  return { ...state, source, identity: state.identity ?? announced };
}
