import type { RingSettings } from "../cluster/ring-settings.js";
import type { StageOptions } from "../native/stage-options.js";
import type { FrameLimits } from "../transport/frame.js";

/** How this node computes, whatever the ring. */
export interface ComputeSettings {
  readonly threads: number;
  /** Device names of `listDevices()`; none: CPU only. */
  readonly devices: readonly string[];
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
    devices: compute.devices,
  };
}

/** @param rowSize numbers per row of the hidden states on this edge: what its sender gives and its receiver takes */
export function frameLimits(ring: RingSettings, rowSize: number): FrameLimits {
  return {
    embeddingSize: rowSize,
    maxRows: ring.batchSize,
    // Each slot may be emptied and filled again within one micro-batch.
    maxKvOperations: 4 * ring.slots,
    maxSequences: ring.slots,
  };
}
