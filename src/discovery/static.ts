import { setTimeout as delay } from "node:timers/promises";
import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import type { DiscoveredPeer, Discovery, PeerProbe } from "./discovery.js";

export interface StaticDiscoveryOptions {
  /** From `--peer`, `EXO_NATIVE_PEER` or the configuration file. */
  readonly peers: readonly HostPort[];
  readonly probe: PeerProbe;
  readonly logger: Logger;
  /** Rejects when the signal aborts. Default: real time. */
  readonly sleep?: Sleep;
}

type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const realSleep: Sleep = async (milliseconds, signal) => {
  await delay(milliseconds, undefined, { signal });
};

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
/** A peer that answers but cannot be used may be restarted as another version, so it is asked again, seldom. */
const UNUSED_PAUSE_MS = 15_000;

/** Peers at addresses that the user named: each is asked until it answers, and again when it was lost. */
export class StaticDiscovery implements Discovery {
  readonly name = "static discovery";
  readonly #probe: PeerProbe;
  readonly #logger: Logger;
  readonly #sleep: Sleep;
  readonly #peers: Map<string, DiscoveredPeer>;
  readonly #listeners = new Set<(peer: DiscoveredPeer) => void>();
  readonly #searches = new Map<string, Promise<void>>();
  #stopping: AbortController | null = null;

  constructor(options: StaticDiscoveryOptions) {
    this.#probe = options.probe;
    this.#logger = options.logger;
    this.#sleep = options.sleep ?? realSleep;
    this.#peers = new Map(options.peers.map((address) => [formatHostPort(address), unseen(address)]));
  }

  async start(): Promise<void> {
    if (this.#stopping !== null) return;
    this.#stopping = new AbortController();
    for (const key of this.#peers.keys()) this.#search(key);
  }

  async stop(): Promise<void> {
    this.#stopping?.abort();
    await Promise.all(this.#searches.values());
    this.#stopping = null;
  }

  onPeer(listener: (peer: DiscoveredPeer) => void): () => void {
    this.#listeners.add(listener);
    for (const peer of this.#peers.values()) if (peer.state === "reachable") listener(peer);
    return () => this.#listeners.delete(listener);
  }

  peers(): readonly DiscoveredPeer[] {
    return [...this.#peers.values()];
  }

  lost(address: HostPort, reason: string): void {
    const key = formatHostPort(address);
    const peer = this.#peers.get(key);
    if (peer?.state !== "reachable") return;
    this.#peers.set(key, { ...peer, state: "searching", reason });
    this.#search(key);
  }

  /** One search per address at a time; a peer lost while its search was ending is searched again. */
  #search(key: string): void {
    const signal = this.#stopping?.signal;
    if (signal === undefined || signal.aborted || this.#searches.has(key)) return;
    const search = this.#askUntilReached(key, signal).finally(() => {
      this.#searches.delete(key);
      if (!this.#isReachable(key)) this.#search(key);
    });
    this.#searches.set(key, search);
  }

  #isReachable(key: string): boolean {
    return this.#peers.get(key)?.state === "reachable";
  }

  async #askUntilReached(key: string, signal: AbortSignal): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const peer = await this.#ask(key, signal);
      if (peer === null || this.#isReachable(key)) return;
      await this.#sleep(peer.state === "unused" ? UNUSED_PAUSE_MS : pause, signal).catch(() => {});
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Asks once and keeps what came of it; `null` when stopped meanwhile. */
  async #ask(key: string, signal: AbortSignal): Promise<DiscoveredPeer | null> {
    const before = this.#peers.get(key);
    if (before === undefined) return null;
    const { address } = before;
    const after = await this.#probe(address, signal).then(
      (identity): DiscoveredPeer => ({ address, source: "static", state: "reachable", identity, reason: null }),
      (thrown: unknown) => failedProbe(before, ExoError.from(thrown)),
    );
    if (signal.aborted) return null;
    this.#peers.set(key, after);
    if (after.reason !== null && after.reason !== before.reason) {
      this.#logger.warn({ peer: key }, after.reason);
    }
    if (after.state === "reachable") for (const listener of this.#listeners) listener(after);
    return after;
  }
}

function unseen(address: HostPort): DiscoveredPeer {
  return { address, source: "static", state: "searching", identity: null, reason: null };
}

function failedProbe(before: DiscoveredPeer, error: ExoError): DiscoveredPeer {
  const answered = error.code !== "peer_unreachable" && error.code !== "deadline_exceeded";
  return { ...before, state: answered ? "unused" : "searching", reason: error.message };
}
