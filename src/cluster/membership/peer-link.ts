import { formatHostPort, type HostPort } from "../../config/address.js";
import { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import type { LinkKind } from "../../discovery/interface-kind.js";
import type { NodeHello } from "../../transport/node-service.js";
import { type NodeRecord, parseNodeRecord } from "../node-record.js";
import type { AddressBook } from "./address-book.js";
import type { Candidate } from "./address-choice.js";
import type { MemberAddress, PeerClient } from "./member.js";

export interface PeerLinkOptions {
  readonly nodeId: string;
  readonly book: AddressBook;
  readonly hello: () => NodeHello;
  readonly connect: (address: HostPort) => PeerClient;
  /** What a host is reached through. */
  readonly kindOf: (host: string) => Promise<LinkKind | null>;
  readonly clock: Clock;
  /** Why a node that answers cannot be used, as a sentence, or `null`. */
  readonly whyUnfit: (peer: NodeHello, address: HostPort) => string | null;
  /** Another process answers at `address` with the id of this peer, which answers too. */
  readonly onCopy: (name: string, address: HostPort) => void;
  /** An answer came over the address in use that `ask` waited for no longer. */
  readonly onLate: (record: NodeRecord) => void;
}

interface Connection {
  readonly key: string;
  readonly address: HostPort;
  readonly client: PeerClient;
}

/** Small calls per measurement; the fastest counts, for the first pays for the connection and others may meet a pause. */
const CALLS = 4;
/** More ways than this at once are not tried. */
const MOST_AT_ONCE = 8;
/** A connection that was left for a better one stays for calls under way: longer than the deadline of any single one. */
const RETIRED_MS = 45_000;

/** The way to one peer: the connection in use, and all other addresses to fall back on. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  #current: Connection | null = null;
  /** Of the process that answered last. */
  #instance: string | null = null;
  readonly #retired = new Map<PeerClient, NodeJS.Timeout>();
  readonly #tried = new Set<PeerClient>();
  #closed = false;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
  }

  /** In use, or `null` before the peer was reached for the first time. */
  get address(): HostPort | null {
    return this.#current?.address ?? null;
  }

  get client(): PeerClient | null {
    return this.#current?.client ?? null;
  }

  get instance(): string | null {
    return this.#instance;
  }

  addresses(): readonly MemberAddress[] {
    return this.#options.book.candidates().map(({ address, key, kind, rttMs, failure }) => {
      return { address, inUse: key === this.#current?.key, kind, rttMs, reason: failure };
    });
  }

  /**
   * What the peer says of itself now: over the address in use, else over whichever other answers first, which is then in
   * use. Rejects with the failure of the address in use.
   * @param impatience ends the wait for the address in use
   * @param deadlineMs until then its answer is read still
   */
  async ask(impatience: AbortSignal, deadlineMs: number): Promise<NodeRecord> {
    const current = this.#current;
    if (current === null) return this.#reach(this.#options.book.ways());
    try {
      return this.#accept(await this.#unlessTooLate(current, impatience, deadlineMs));
    } catch (thrown) {
      const error = this.#failed(current.key, thrown);
      const others = this.#options.book.ways().filter(({ key }) => key !== current.key);
      return this.#reach(others).catch(() => {
        throw error;
      });
    }
  }

  /** Tries every address that was ever heard of, at the same time; for a peer that is gone. */
  async search(): Promise<NodeRecord> {
    return this.#reach(this.#options.book.candidates());
  }

  /** Measures all ways that are due, and goes over to the best. */
  async measure(): Promise<void> {
    const { book, clock } = this.#options;
    const due = book.due(clock.monotonic()).slice(0, MOST_AT_ONCE);
    await Promise.all(due.map((candidate) => this.#measureOne(candidate)));
    const best = book.best(this.#current?.key ?? null);
    if (best === null || best.key === this.#current?.key || this.#closed) return;
    await this.#reach([best]).catch(() => {});
  }

  /** It fell silent: what is under way on connections to it, but for the questions whether it is there, ends with this. */
  interrupt(reason: ExoError): void {
    for (const client of [this.client, ...this.#retired.keys()]) client?.interrupt(reason);
  }

  close(): void {
    this.#closed = true;
    this.#current?.client.close();
    for (const client of this.#tried) client.close();
    for (const [client, timer] of this.#retired) {
      clearTimeout(timer);
      client.close();
    }
    this.#retired.clear();
  }

  /** Whether the process that was talked to last still answers at the address in use. */
  async stillThere(): Promise<boolean> {
    const { hello, nodeId } = this.#options;
    const peer = await this.#current?.client.hello(hello()).catch(() => null);
    return peer != null && peer.nodeId === nodeId && peer.instance === this.#instance;
  }

  /** The first of these that answers is in use from now on. */
  async #reach(candidates: readonly Candidate[]): Promise<NodeRecord> {
    const [first] = candidates;
    if (first === undefined) throw new ExoError("peer_unreachable", "No address of the peer is known.");
    const tries = candidates.slice(0, MOST_AT_ONCE).map((candidate) => this.#try(candidate));
    const winner = await Promise.any(tries).catch((thrown: unknown) => {
      throw thrown instanceof AggregateError ? thrown.errors[0] : thrown;
    });
    for (const other of tries) {
      other.then(({ connection }) => connection !== winner.connection && this.#drop(connection.client)).catch(() => {});
    }
    this.#use(winner.connection);
    return this.#accept(winner.record);
  }

  async #try({ key, address }: Candidate): Promise<{ readonly connection: Connection; readonly record: NodeRecord }> {
    try {
      const client = this.#open(address);
      try {
        const connection = { key, address, client };
        await this.#greet(connection);
        const record = await this.#recordOver(connection);
        this.#options.book.answered(key);
        return { connection, record };
      } catch (thrown) {
        this.#drop(client);
        throw thrown;
      }
    } catch (thrown) {
      throw this.#failed(key, thrown);
    }
  }

  async #measureOne({ key, address }: Candidate): Promise<void> {
    const { book, kindOf, clock } = this.#options;
    const current = this.#current;
    try {
      book.leadsThrough(key, await kindOf(address.host));
      const client = current?.key === key ? current.client : this.#open(address);
      try {
        let fastest = Number.POSITIVE_INFINITY;
        for (let call = 0; call < CALLS; call += 1) {
          const begun = clock.monotonic();
          await this.#greet({ key, address, client });
          fastest = Math.min(fastest, clock.monotonic() - begun);
        }
        book.measured(key, fastest);
      } finally {
        if (client !== current?.client) this.#drop(client);
      }
    } catch (thrown) {
      this.#failed(key, thrown);
    }
  }

  /** Says hello. Rejects when somebody else answers, or another process of the same id. */
  async #greet({ address, client }: Connection): Promise<void> {
    const { hello, nodeId, whyUnfit, onCopy } = this.#options;
    const peer = await client.hello(hello());
    const unfit = whyUnfit(peer, address);
    if (unfit !== null) throw new ExoError("invalid_argument", unfit);
    if (peer.nodeId !== nodeId) throw this.#somebodyElse(peer.name, address);
    const known = this.#instance;
    if (known === null || peer.instance === known || client === this.#current?.client) return;
    if (!(await this.stillThere())) return;
    onCopy(peer.name, address);
    throw new ExoError("invalid_argument", `${formatHostPort(address)} is another process with the same id.`);
  }

  #unlessTooLate(connection: Connection, impatience: AbortSignal, deadlineMs: number): Promise<NodeRecord> {
    const answer = this.#recordOver(connection, deadlineMs);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        reject(
          new ExoError("peer_unreachable", `The node at ${formatHostPort(connection.address)} did not answer in time.`),
        );
        const read = (record: NodeRecord): void => {
          if (this.#current === connection) this.#options.onLate(this.#accept(record));
        };
        answer.then(read, () => {});
      };
      impatience.addEventListener("abort", giveUp, { once: true });
      answer.then(resolve, reject).finally(() => impatience.removeEventListener("abort", giveUp));
    });
  }

  async #recordOver({ address, client }: Connection, deadlineMs?: number): Promise<NodeRecord> {
    const record = parseNodeRecord((await client.health(deadlineMs)).record);
    if (record.id !== this.#options.nodeId) throw this.#somebodyElse(record.name, address);
    return record;
  }

  #somebodyElse(name: string, address: HostPort): ExoError {
    return new ExoError("stage_lost", `${name} answers now at ${formatHostPort(address)}, where another node was.`);
  }

  #accept(record: NodeRecord): NodeRecord {
    this.#instance = record.instance;
    return record;
  }

  #use(connection: Connection): void {
    this.#tried.delete(connection.client);
    const before = this.#current;
    this.#current = connection;
    if (this.#closed) connection.client.close();
    if (before === null) return;
    const close = (): void => {
      this.#retired.delete(before.client);
      before.client.close();
    };
    if (this.#closed) close();
    else this.#retired.set(before.client, setTimeout(close, RETIRED_MS).unref());
  }

  #open(address: HostPort): PeerClient {
    if (this.#closed) throw new ExoError("cancelled", "The link was closed.");
    const client = this.#options.connect(address);
    this.#tried.add(client);
    return client;
  }

  #drop(client: PeerClient): void {
    this.#tried.delete(client);
    client.close();
  }

  #failed(key: string, thrown: unknown): ExoError {
    const error = ExoError.from(thrown, "peer_unreachable");
    this.#options.book.failed(key, error.message, this.#options.clock.monotonic());
    return error;
  }
}
