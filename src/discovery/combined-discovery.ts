import type { HostPort } from "../config/address.js";
import { ServiceGroup } from "../core/lifecycle.js";
import type { DiscoveredPeer, Discovery, SourceReport } from "./discovery.js";
import type { PeerSearch } from "./peer-search.js";
import type { PeerSource } from "./peer-source.js";

/** All chosen ways of finding peers, and one search for what they find. */
export class CombinedDiscovery implements Discovery {
  readonly name = "discovery";
  readonly #search: PeerSearch;
  readonly #sources: readonly PeerSource[];
  readonly #services: ServiceGroup;
  readonly #prepare: () => Promise<void>;

  /** @param prepare what has to be known of this machine first */
  constructor(search: PeerSearch, sources: readonly PeerSource[], prepare: () => Promise<void>) {
    this.#search = search;
    this.#prepare = prepare;
    this.#sources = sources;
    this.#services = new ServiceGroup(this.name, sources);
  }

  async start(): Promise<void> {
    await this.#prepare();
    await this.#services.start();
    this.#search.start();
  }

  async stop(): Promise<void> {
    await this.#services.stop();
    await this.#search.stop();
  }

  onPeer(listener: (peer: DiscoveredPeer) => void): () => void {
    return this.#search.onPeer(listener);
  }

  peers(): readonly DiscoveredPeer[] {
    return this.#search.peers();
  }

  lost(address: HostPort, reason: string): void {
    this.#search.lost(address, reason);
  }

  sources(): readonly SourceReport[] {
    return this.#sources.map((source) => source.report());
  }
}
