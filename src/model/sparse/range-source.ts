import type { BlockRun } from "./blocks.js";
import type { FileIdentity, HeaderMark } from "./range-map.js";

/** A file of a model as another node has it, whole or in part. */
export interface OfferedFile extends FileIdentity {
  /** By which that node knows it; means nothing elsewhere. */
  readonly id: string;
  readonly header: HeaderMark;
  /** What of it is there. */
  readonly runs: readonly BlockRun[];
}

/** Somebody beside the hub whom byte ranges of a model can be had from. */
export interface RangeSource {
  /** For people. */
  readonly name: string;
  /** The model's files in order; none when it is not there. */
  offer(spec: string, signal: AbortSignal): Promise<readonly OfferedFile[]>;
  /**
   * The sha256 of each of these blocks.
   *
   * @param doubted what came of them was wrong, so that they are to be read again where they lie
   */
  hashes(file: string, run: BlockRun, signal: AbortSignal, doubted?: boolean): Promise<readonly Buffer[]>;
  /** Half-open `[begin, end)`, in order. */
  fetchRange(file: string, begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
