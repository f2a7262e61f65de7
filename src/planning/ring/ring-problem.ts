import type { PassCosts } from "../pass-time.js";
import type { ModelSpeed } from "../speeds.js";

/** A node that may get layers, with what it may hold. */
export interface RingNode {
  readonly id: string;
  readonly speed: ModelSpeed;
  /** `earliestBegins` */
  readonly earliest: Int32Array;
  /** `headRanges` */
  readonly canHead: readonly boolean[];
}

/** The way from one node to another. */
export interface RingLink {
  /** One way, for a small message, with what a hop costs at both ends. */
  readonly seconds: number;
  readonly bytesPerSecond: number;
}

/** Which orders of nodes and which ranges there are to choose from; plain numbers. Nodes are known by their index. */
export interface RingProblem {
  readonly layerCount: number;
  /** By id, so that every node of a cluster comes to the same plan. */
  readonly nodes: readonly RingNode[];
  /** `links[from][to]` */
  readonly links: readonly (readonly RingLink[])[];
  /** A stage may begin at this layer. */
  readonly mayBegin: readonly boolean[];
  /** Bytes of one row on the wire before each layer; the last: on the way back to the head. */
  readonly rowBytes: readonly number[];
  /** Tokens in the cache of each sequence whose next token is computed. */
  readonly cachedTokens: number;
  /** Rows of one request in a round: 1, the next token of an answer; where texts are read whole, the tokens of one. */
  readonly requestRows: number;
  /** Nodes of which no ring may be made without: 1 = any. */
  readonly minStages: number;
}

/** One stage of a solution: half-open layer range on a node. The first stage is the head. */
export interface RingStage {
  readonly node: number;
  readonly begin: number;
  readonly end: number;
}

/** What a round with so many rows costs everywhere. Seconds. */
export interface RingCosts {
  readonly problem: RingProblem;
  readonly rows: number;
  /** By node. */
  readonly passes: readonly PassCosts[];
  /** Bytes of a frame before each layer. */
  readonly frameBytes: Float64Array;
}

/**
 * What a hop costs beside the link, until that is seen: frame codec, event loops, waking a thread, on both ends. Seconds.
 * Rings of two nodes on one machine take 0.8 ms per hop in all (the case `hops` in benchmarks/results), with caches that a
 * token's weights have just passed through; an echo, which is what a link is measured by, sees the smaller part of that.
 */
export const HOP_SECONDS = 600e-6;

/** Of a frame beside its rows, and of each row beside its hidden state: sequence, flags, position and token. */
export const FRAME_BYTES = 96;
export const ROW_BYTES = 12;
