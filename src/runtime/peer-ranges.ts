import { unlessStalled } from "../core/unless-stalled.js";
import type { BlockRun } from "../model/sparse/blocks.js";
import type { OfferedFile, RangeSource } from "../model/sparse/range-source.js";
import type { NodeService } from "../transport/node-service.js";

/** As for the hub: a peer that sends nothing for so long is passed over. */
const STALL_MS = 30_000;

/** A connection for what models are asked of a node. */
export interface ModelPeerClient extends Pick<NodeService, "offerModel" | "hashModel" | "readModel"> {
  close(): void;
}

/** Another node, as one whom ranges of models can be had from. It is connected to when it is first asked. */
export class PeerRanges implements RangeSource {
  readonly name: string;
  readonly #connect: () => ModelPeerClient;
  #client: ModelPeerClient | null = null;

  constructor(name: string, connect: () => ModelPeerClient) {
    this.name = name;
    this.#connect = connect;
  }

  async offer(spec: string, _signal: AbortSignal): Promise<readonly OfferedFile[]> {
    return this.#connected().offerModel(spec);
  }

  hashes(file: string, run: BlockRun, signal: AbortSignal, doubted?: boolean): Promise<readonly Buffer[]> {
    return this.#connected().hashModel(file, run, signal, doubted);
  }

  fetchRange(file: string, begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const read = (unlessGone: AbortSignal) => this.#connected().readModel(file, begin, end, unlessGone);
    return unlessStalled(read, STALL_MS, signal);
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  #connected(): ModelPeerClient {
    this.#client ??= this.#connect();
    return this.#client;
  }
}
