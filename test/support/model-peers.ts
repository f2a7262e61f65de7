import { systemDownloadIo } from "../../src/model/download-io.js";
import type { ModelStore } from "../../src/model/model-store.js";
import { RateLimiter } from "../../src/model/rate-limit.js";
import type { OfferedFile, RangeSource } from "../../src/model/sparse/range-source.js";
import { ServedModels } from "../../src/model/supply/served-models.js";

/** What a test makes of a peer's answers. */
export interface PeerBehaviour {
  offer?(files: readonly OfferedFile[]): readonly OfferedFile[];
  hashes?(hashes: readonly Buffer[], first: number): readonly Buffer[];
  bytes?(piece: Uint8Array, begin: number): Uint8Array;
}

/** A node as its peers see it, without a network between. Counts what it gives. */
export class PeerNode implements RangeSource {
  readonly name: string;
  bytesGiven = 0;
  offersAsked = 0;
  readonly #served: ServedModels;
  readonly #behaviour: PeerBehaviour;

  constructor(name: string, store: ModelStore, behaviour: PeerBehaviour = {}) {
    this.name = name;
    this.#served = new ServedModels({ store, limiter: new RateLimiter(null, systemDownloadIo) });
    this.#behaviour = behaviour;
  }

  async offer(spec: string): Promise<readonly OfferedFile[]> {
    this.offersAsked += 1;
    const files = await this.#served.offer(spec);
    return this.#behaviour.offer?.(files) ?? files;
  }

  async hashes(
    file: string,
    run: { first: number; count: number },
    signal: AbortSignal,
    doubted = false,
  ): Promise<readonly Buffer[]> {
    const hashes = await this.#served.hashes(file, run, signal, doubted);
    return this.#behaviour.hashes?.(hashes, run.first) ?? hashes;
  }

  async *fetchRange(file: string, begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    let at = begin;
    for await (const piece of this.#served.read(file, begin, end, signal)) {
      this.bytesGiven += piece.length;
      yield this.#behaviour.bytes?.(piece, at) ?? piece;
      at += piece.length;
    }
  }
}
