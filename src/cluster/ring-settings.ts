import type { Settings } from "../config/config.js";
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

/** Those that the configuration gives; the context is chosen with the placement. */
export function ringSettingsOf(
  config: Pick<Settings, "slots" | "ubatch" | "kv" | "kvV" | "flashAttention" | "wire">,
): Omit<RingSettings, "contextSize"> {
  const { slots, ubatch, kv, kvV, flashAttention, wire } = config;
  return {
    slots,
    batchSize: ubatch,
    microBatchSize: ubatch,
    kvTypeK: kv,
    kvTypeV: kvV ?? kv,
    flashAttention,
    wireType: wire,
  };
}
