import type { ExoError } from "../core/errors.js";
import type { SampleRun } from "../native/stage.js";
import type { RingBatch } from "./micro-batch.js";
import type { WayRound } from "./way-round.js";

/** Where the time of one micro-batch went, in seconds. */
export interface PipelineTimings {
  /** From hand-over to samples. */
  readonly total: number;
  /** On the stages' threads, all stages together. */
  readonly compute: number;
  /** In the stages' queues, behind other micro-batches. */
  readonly queue: number;
}

export interface PipelineResult {
  /** One for each entry of `RingBatch.samples`, in its order. */
  readonly samples: readonly SampleRun[];
  /** As `DecodeResult.pooled`; `null` where no hidden states were wanted. */
  readonly pooled: Float32Array | null;
  readonly timings: PipelineTimings;
  /** Where it went, part by part; `null` where that is not known. */
  readonly way: WayRound | null;
}

/**
 * Computes micro-batches, alone (`local-pipeline.ts`) or round a ring (`ring-pipeline.ts`). Micro-batches are computed
 * in the order of the calls to `run`; several may be under way at once.
 */
export interface Pipeline {
  /** How many nodes compute one after the other. */
  readonly stageCount: number;
  /**
   * Rejects with an `ExoError`; one failed micro-batch does not fail the next, unless the pipeline is broken. Calls
   * `onHandedOver` when this node has done its first part of the work and others go on: the time for what can wait.
   */
  run(batch: RingBatch, onHandedOver: () => void): Promise<PipelineResult>;
  /** The reason why nothing more can be computed, or `null`. */
  readonly broken: ExoError | null;
  /** Calls back once if the pipeline breaks, with the reason. */
  onBroken(callback: (error: ExoError) => void): void;
  close(): Promise<void>;
}
