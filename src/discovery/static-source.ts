import { isIP } from "node:net";
import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import { BackgroundWork } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";
import type { SourceReport } from "./discovery.js";
import type { OfferSink, PeerSource, Sleep } from "./peer-source.js";
import { parsePeersFile } from "./peers-file.js";

export interface StaticSourceOptions {
  /** From `--peer`, `--join`, their variables or the configuration file. */
  readonly peers: readonly HostPort[];
  /** `--peers-file`, or `null`. */
  readonly file: string | null;
  /** Every address of a name; rejects when there is none. */
  readonly lookup: (name: string) => Promise<readonly string[]>;
  readonly readFile: (file: string) => Promise<string>;
  readonly sink: OfferSink;
  readonly sleep: Sleep;
  readonly logger: Logger;
}

/** A name's addresses change when a machine moves or a replica comes; a file when its owner writes it. */
const REFRESH_MS = 10_000;

/** Peers that the user named, by address, by a name that may have several addresses, or in a file. */
export class StaticSource implements PeerSource {
  readonly name = "static peers";
  readonly #options: StaticSourceOptions;
  #fromFile: readonly HostPort[] = [];
  /** Why the file could not be read the last time. */
  #fault: string | null = null;
  /** Origins offered so far. */
  #offered = new Set<string>();
  readonly #searching = new BackgroundWork((signal) => this.#run(signal));

  constructor(options: StaticSourceOptions) {
    this.#options = options;
  }

  report(): SourceReport {
    const count = this.#peers().length;
    return { kind: "static", state: "running", detail: this.#fault ?? (count === 0 ? "No peer is named." : null) };
  }

  /** Rejects with `invalid_argument` when the file cannot be read or says something else than addresses. */
  async start(): Promise<void> {
    if (this.#searching.started) return;
    if (this.#options.file !== null) this.#fromFile = await this.#readFile(this.#options.file);
    this.#searching.start();
  }

  async stop(): Promise<void> {
    await this.#searching.stop();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const changes = this.#options.file !== null || this.#peers().some(({ host }) => isIP(host) === 0);
    while (!signal.aborted) {
      await this.#offerAll(signal);
      if (!changes) return;
      await this.#options.sleep(REFRESH_MS, signal).catch(() => {});
      if (this.#options.file !== null && !signal.aborted) await this.#readAgain(this.#options.file);
    }
  }

  #peers(): readonly HostPort[] {
    return [...this.#options.peers, ...this.#fromFile];
  }

  async #offerAll(signal: AbortSignal): Promise<void> {
    const peers = new Map(this.#peers().map((peer) => [`static ${formatHostPort(peer)}`, peer]));
    for (const origin of this.#offered) if (!peers.has(origin)) this.#offer(origin, []);
    this.#offered = new Set(peers.keys());
    await Promise.all(
      [...peers].map(async ([origin, peer]) => {
        const addresses = await this.#addressesOf(peer);
        if (!signal.aborted) this.#offer(origin, addresses);
      }),
    );
  }

  #offer(origin: string, addresses: readonly HostPort[]): void {
    this.#options.sink.offer({ source: "static", origin, addresses, identity: null, spoke: false });
  }

  /** A name that has no address now stands for itself: asking it will say what is wrong. */
  async #addressesOf(peer: HostPort): Promise<readonly HostPort[]> {
    if (isIP(peer.host) !== 0) return [peer];
    const hosts = await this.#options.lookup(peer.host).catch(() => []);
    return hosts.length === 0 ? [peer] : hosts.map((host) => ({ host, port: peer.port }));
  }

  async #readAgain(file: string): Promise<void> {
    try {
      this.#fromFile = await this.#readFile(file);
      this.#fault = null;
    } catch (thrown) {
      const { message } = ExoError.from(thrown);
      if (message !== this.#fault) this.#options.logger.warn({ file }, `${message} The peers it named before stay.`);
      this.#fault = message;
    }
  }

  async #readFile(file: string): Promise<readonly HostPort[]> {
    const text = await this.#options.readFile(file).catch((thrown: unknown) => {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw new ExoError("invalid_argument", `The file of peers cannot be read: ${why}.`, { param: "--peers-file" });
    });
    return parsePeersFile(text, file);
  }
}
