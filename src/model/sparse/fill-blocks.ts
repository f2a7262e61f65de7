import { randomInt } from "node:crypto";
import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import type { DownloadIo } from "../download-io.js";
import { shownUrl } from "../http-answer.js";
import type { RateLimiter } from "../rate-limit.js";
import { cutIntoBlocks } from "./block-stream.js";
import { BLOCK_BYTES, type BlockRun, blockRange, blocksOfRun, bytesOfBlocks } from "./blocks.js";
import type { FillPeer } from "./fill-peer.js";
import { type HttpOrigin, SourceChanged } from "./http-ranges.js";
import { openOriginStream } from "./origin-stream.js";
import { isFatal, Patience } from "./patience.js";
import { PendingBlocks } from "./pending-blocks.js";
import { type SparseFile, sha256 } from "./sparse-file.js";

export interface FillRequest {
  readonly file: SparseFile;
  readonly blocks: readonly number[];
  /** The hub, whose word counts; `null`: it is not to be asked. */
  readonly origin: HttpOrigin | null;
  readonly peers: readonly FillPeer[];
  readonly signal: AbortSignal;
  readonly observer: FillObserver;
}

export interface FillObserver {
  onBytes(source: string, count: number): void;
  /** So many bytes more are here for good; fewer, when what a peer gave is not trusted any more. */
  onKept(count: number): void;
  /** A peer gave something wrong and is not asked any more. */
  onFault(peer: string, fault: string): void;
}

export interface FillTools {
  readonly io: DownloadIo;
  readonly logger: Logger;
  /** Of everything that comes, whoever gives it. */
  readonly limiter: RateLimiter;
}

/** How the hub is called among the sources of a download. */
export const HUB = "hub";

const HUB_CONNECTIONS = 4;
const MOST_BLOCKS_OF_HUB = 64;
const MOST_BLOCKS_OF_PEER = 32;
const PEER_PAUSE_MS = 500;
/** Half a second, one and two lie between them. */
const CHECK_TRIES = 4;

/**
 * Fetches blocks of one file: what peers have from all of them at once, the rest from the hub. A block of a peer must have
 * the sha256 that it says, and that another peer says of it where another has it; what two peers call differently only
 * the hub can give. At the end one block of each peer that gave any is compared with the hub.
 */
export class BlockFill {
  readonly #request: FillRequest;
  readonly #tools: FillTools;
  readonly #pending: PendingBlocks;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** What peers called these blocks, where they did not agree. */
  readonly #disputed = new Map<number, readonly Claim[]>();
  #originLost: unknown = null;
  #peerTrouble: string | null = null;

  constructor(request: FillRequest, tools: FillTools) {
    this.#request = request;
    this.#tools = tools;
    this.#pending = new PendingBlocks(request.blocks);
    this.#signal = AbortSignal.any([request.signal, this.#stop.signal]);
  }

  /** What has come is kept, whatever happens. */
  async run(): Promise<void> {
    try {
      do await this.#round();
      while (await this.#spotCheck());
    } finally {
      await this.#request.file.save();
    }
    if (this.#pending.size > 0) throw this.#incomplete();
  }

  async #round(): Promise<void> {
    const { peers, origin } = this.#request;
    const connections = origin === null ? 0 : HUB_CONNECTIONS;
    this.#pending.begin(peers.length + connections);
    const workers = [
      ...peers.map((peer) => this.#askPeer(peer)),
      ...Array.from({ length: connections }, () => this.#askHub(origin)),
    ];
    const stopAll = (thrown: unknown): never => {
      this.#stop.abort();
      this.#pending.changed();
      throw thrown;
    };
    const leave = (): void => this.#pending.leave();
    const results = await Promise.allSettled(workers.map((worker) => worker.catch(stopAll).finally(leave)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    if (this.#request.signal.aborted) {
      throw new ExoError("cancelled", `The download of ${this.#request.file.path} was cancelled.`);
    }
  }

  async #askPeer(peer: FillPeer): Promise<void> {
    const passes = (block: number): boolean => peer.has(block) && !this.#disputed.has(block);
    const { length } = this.#request.peers;
    while (!this.#signal.aborted && peer.usable) {
      const share = Math.ceil(this.#pending.size / (2 * length));
      const run = this.#pending.take(Math.max(1, Math.min(MOST_BLOCKS_OF_PEER, share)), passes);
      if (run !== null) await this.#runOfPeer(peer, run);
      else if (!(await this.#pending.wait())) return;
    }
  }

  async #runOfPeer(peer: FillPeer, run: BlockRun): Promise<void> {
    const left = new Set(blocksOfRun(run));
    try {
      const claims = await this.#claims(peer, run);
      if (claims === null) return;
      const range = this.#rangeOf(run);
      const pieces = this.#limited(peer.fetch(range.begin, range.end, this.#signal));
      const stream = cutIntoBlocks(pieces, range, (count) => this.#request.observer.onBytes(peer.name, count));
      for await (const { block, data } of stream) {
        const hash = sha256(data);
        if (!claims.get(block)?.equals(hash))
          return this.#fault(peer, block, `block ${block} is not what it should be`);
        await this.#keep(block, data, hash);
        // Others may have found it out meanwhile.
        if (peer.isFoundOut) return this.#forget([block]);
        left.delete(block);
        peer.given.add(block);
        peer.worked();
      }
    } catch (thrown) {
      await this.#peerFailed(peer, thrown);
    } finally {
      this.#pending.add(left);
    }
  }

  async *#limited(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of stream) {
      await this.#tools.limiter.take(piece.length, this.#signal);
      yield piece;
    }
  }

  async #keep(block: number, data: Buffer, hash: Buffer): Promise<void> {
    await this.#request.file.write(block, data, hash);
    this.#request.observer.onKept(data.length);
  }

  /** `null`: two peers disagree, and the blocks in question wait for the hub. */
  async #claims(peer: FillPeer, run: BlockRun): Promise<ReadonlyMap<number, Buffer> | null> {
    const own = await peer.hashes(run, this.#signal);
    const other = this.#request.peers.find((one) => one !== peer && one.usable && one.hasAll(run));
    const others = other === undefined ? null : await other.hashes(run, this.#signal).catch(() => null);
    if (other === undefined || others === null) return own;
    const disputed = blocksOfRun(run).filter((block) => !sameHash(own.get(block), others.get(block)));
    if (disputed.length === 0) return own;
    for (const block of disputed) {
      this.#disputed.set(block, [
        { peer, hash: own.get(block) },
        { peer: other, hash: others.get(block) },
      ]);
    }
    return null;
  }

  async #peerFailed(peer: FillPeer, thrown: unknown): Promise<void> {
    if (this.#signal.aborted) return;
    const error = ExoError.from(thrown);
    if (error.code === "disk_full") throw error;
    peer.failed();
    this.#peerTrouble = `${peer.name}: ${error.message}`;
    this.#tools.logger.debug(
      { peer: peer.name, failures: peer.failures, error: error.message },
      "a peer gave no bytes",
    );
    if (peer.usable) await this.#tools.io.sleep(PEER_PAUSE_MS * peer.failures, this.#signal).catch(() => {});
  }

  /** What it gave is fetched again, and it is told, for its disk may be failing. */
  #fault(peer: FillPeer, block: number, fault: string): void {
    if (!peer.foundOut(fault)) return;
    void peer.report(block, this.#signal);
    this.#tools.logger.warn(
      { peer: peer.name, file: this.#request.file.path },
      `A peer gave wrong bytes of a model and is not asked any more: ${fault}`,
    );
    this.#request.observer.onFault(peer.name, fault);
    this.#forget(peer.given);
    this.#pending.add(peer.given);
    peer.given.clear();
    for (const [block, claims] of this.#disputed) {
      if (claims.some((claim) => claim.peer === peer)) this.#disputed.delete(block);
    }
  }

  #forget(blocks: Iterable<number>): void {
    const { file, observer } = this.#request;
    observer.onKept(-bytesOfBlocks(blocks, file.identity.bytes));
    file.forget(blocks);
  }

  /** Only what no peer can give, or not undisputed. */
  async #askHub(origin: HttpOrigin | null): Promise<void> {
    if (origin === null) return;
    const { io, logger } = this.#tools;
    const patience = new Patience(shownUrl(origin.file.url), io, (reason, pause) =>
      logger.warn(
        { file: origin.file.name, pauseSeconds: pause / 1000 },
        `Download interrupted, trying again: ${reason}`,
      ),
    );
    while (!this.#signal.aborted && this.#originLost === null) {
      const run = this.#pending.take(this.#hubShare(), (block) => !this.#isOffered(block));
      if (run !== null) await this.#runOfHub(origin, run, patience);
      else if (!(await this.#pending.wait())) return;
    }
  }

  #hubShare(): number {
    return Math.max(1, Math.min(MOST_BLOCKS_OF_HUB, Math.ceil(this.#pending.size / HUB_CONNECTIONS)));
  }

  #isOffered(block: number): boolean {
    return !this.#disputed.has(block) && this.#request.peers.some((peer) => peer.usable && peer.has(block));
  }

  async #runOfHub(origin: HttpOrigin, run: BlockRun, patience: Patience): Promise<void> {
    const left = new Set(blocksOfRun(run));
    try {
      for await (const { block, data } of this.#fromHub(origin, run, patience, this.#signal)) {
        const hash = sha256(data);
        await this.#keep(block, data, hash);
        left.delete(block);
        this.#settle(block, hash);
      }
    } catch (thrown) {
      if (this.#signal.aborted) return;
      if (isFatal(thrown)) throw thrown;
      // Peers may still have some of the rest.
      this.#originLost ??= thrown;
    } finally {
      this.#pending.add(left);
    }
  }

  async *#fromHub(origin: HttpOrigin, run: BlockRun, patience: Patience, signal: AbortSignal) {
    const range = this.#rangeOf(run);
    const asking = { tools: this.#tools, patience, signal };
    const { bytes, identity } = await openOriginStream(origin, range, asking);
    const known = this.#request.file.identity;
    if (identity.bytes !== known.bytes || (origin.file.sha256 === null && identity.version !== known.version)) {
      throw new SourceChanged();
    }
    yield* cutIntoBlocks(bytes, range, (count) => this.#request.observer.onBytes(HUB, count));
  }

  /** The hub tells who of those that disagreed was wrong. */
  #settle(block: number, hash: Buffer): void {
    const claims = this.#disputed.get(block) ?? [];
    this.#disputed.delete(block);
    for (const claim of claims) {
      if (!sameHash(claim.hash, hash))
        this.#fault(claim.peer, block, `what it says of block ${block} is not what the hub has`);
    }
  }

  /**
   * Compares with the hub one block of each peer that gave any; `true` when one was found out. Of a hub that cannot be
   * reached nobody is made to wait long.
   */
  async #spotCheck(): Promise<boolean> {
    const { origin, peers } = this.#request;
    let found = false;
    if (origin === null || this.#originLost !== null) return false;
    for (const peer of peers) {
      const blocks = [...peer.given];
      const block = blocks.length === 0 || !peer.usable ? undefined : blocks[randomInt(blocks.length)];
      if (block === undefined) continue;
      const agrees = await this.#agreesWithHub(origin, peer, block);
      if (agrees === null) return found;
      found ||= !agrees;
    }
    return found;
  }

  /** `null`: the hub cannot be asked. */
  async #agreesWithHub(origin: HttpOrigin, peer: FillPeer, block: number): Promise<boolean | null> {
    const { io, logger } = this.#tools;
    const { signal, file } = this.#request;
    const patience = new Patience(shownUrl(origin.file.url), io, () => {}, CHECK_TRIES);
    try {
      for await (const { data } of this.#fromHub(origin, { first: block, count: 1 }, patience, signal)) {
        if (sameHash(sha256(data), file.hashOf(block))) continue;
        this.#fault(peer, block, `block ${block} is not what the hub has`);
        return false;
      }
      peer.given.clear();
      return true;
    } catch (thrown) {
      if (signal.aborted || thrown instanceof SourceChanged) throw thrown;
      logger.debug({ peer: peer.name, error: String(thrown) }, "a peer's bytes could not be compared with the hub");
      return null;
    }
  }

  #rangeOf({ first, count }: BlockRun) {
    const { end } = blockRange(first + count - 1, this.#request.file.identity.bytes);
    return { begin: first * BLOCK_BYTES, end };
  }

  #incomplete(): unknown {
    if (this.#originLost !== null) return this.#originLost;
    const dispute = this.#disputed.values().next().value;
    const names = dispute?.map(({ peer }) => peer.name).join(" and ");
    const why =
      names !== undefined
        ? `${names} have different bytes of it, and the hub is not there to decide`
        : (this.#peerTrouble ?? "no node that can be reached has it");
    const missing = `${this.#pending.size} blocks of ${BLOCK_BYTES / 2 ** 20} MiB`;
    return new ExoError(
      "download_failed",
      `${missing} of ${this.#request.file.path} cannot be had: ${why.replace(/\.$/, "")}.`,
    );
  }
}

interface Claim {
  readonly peer: FillPeer;
  readonly hash: Buffer | undefined;
}

function sameHash(one: Buffer | null | undefined, other: Buffer | null | undefined): boolean {
  return one !== null && one !== undefined && other !== null && other !== undefined && one.equals(other);
}
