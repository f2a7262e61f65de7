import type { RingSettings } from "../cluster/ring-settings.js";
import type { Settings } from "../config/config.js";
import type { StageOptions } from "../native/stage-options.js";
import type { FrameLimits } from "../transport/frame.js";

/** How this node computes, whatever the ring. */
export interface ComputeSettings {
  readonly threads: number;
  /** For micro-batches of several rows. */
  readonly batchThreads: number;
  /** Device names of `listDevices()`; none: CPU only. */
  readonly devices: readonly string[];
  readonly mmap: boolean;
  readonly mlock: boolean;
}

/**
 * @param devices `chooseDevices`
 * @param cores that are this node's part of its machine; what the owner says goes before it
 */
export function computeSettings(
  config: Pick<Settings, "threads" | "threadsBatch" | "mmap" | "mlock">,
  devices: readonly string[],
  cores: number,
): ComputeSettings {
  const threads = config.threads ?? cores;
  return { threads, batchThreads: config.threadsBatch ?? threads, devices, mmap: config.mmap, mlock: config.mlock };
}

/**
 * Frames that may be under way on one edge. The receiver tells of each half of them together, so half is more than a
 * head ever has under way.
 */
export const HOP_WINDOW = 32;

export function stageOptions(
  ring: RingSettings,
  compute: ComputeSettings,
): Omit<StageOptions, "modelPath" | "layerBegin" | "layerEnd" | "hasOutput"> {
  return {
    contextSize: ring.contextSize,
    maxSequences: ring.slots,
    batchSize: ring.batchSize,
    microBatchSize: ring.microBatchSize,
    kvTypeK: ring.kvTypeK,
    kvTypeV: ring.kvTypeV,
    flashAttention: ring.flashAttention,
    threads: compute.threads,
    batchThreads: compute.batchThreads,
    useMmap: compute.mmap,
    useMlock: compute.mlock,
    devices: compute.devices,
  };
}

/** @param rowSize numbers per row of the hidden states on this edge: what its sender gives and its receiver takes */
export function frameLimits(ring: RingSettings, rowSize: number, stageCount: number): FrameLimits {
  return {
    embeddingSize: rowSize,
    maxRows: ring.batchSize,
    // Each slot may be emptied and filled again within one micro-batch.
    maxKvOperations: 4 * ring.slots,
    maxSequences: ring.slots,
    maxStages: stageCount,
  };
}
