import type { LinkSpec } from "./link.js";

/** What one micro-batch asks of a stage. */
export interface Work {
  readonly rows: number;
  /** Tokens of KV cache that are looked at, summed over the rows. */
  readonly attended: number;
  /** The same, but each sequence's cache counted once: bytes to be read. */
  readonly cached: number;
}

/** Seconds that a stage computes. */
export interface StageCost {
  layers(work: Work): number;
  /** The output head, for as many rows as are sampled; only the head is asked. */
  output(rows: number): number;
}

/** A ring to simulate: stage 0 is the head. */
export interface RingSpec {
  readonly stages: readonly StageCost[];
  /** Which processor each stage computes on, where some share one; absent: each has its own. */
  readonly processors?: readonly number[];
  /** `links[i]` leads from stage i to the next one, the last back to the head. */
  readonly links: readonly LinkSpec[];
  /** Of one row on the wire. */
  readonly rowBytes: number;
}
