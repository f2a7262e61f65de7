import type { ActivationType } from "../native/activation.js";
import type { KvType } from "../native/stage-options.js";

/** What all stages of a ring have in common. */
export interface RingSettings {
  /** Tokens per sequence, and sequences at once. */
  readonly contextSize: number;
  readonly slots: number;
  /** Rows in one frame, and in one compute pass. */
  readonly batchSize: number;
  readonly microBatchSize: number;
  readonly kvTypeK: KvType;
  readonly kvTypeV: KvType;
  readonly flashAttention: "auto" | "on" | "off";
  readonly wireType: ActivationType;
}
