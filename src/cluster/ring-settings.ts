import type { Settings } from "../config/config.js";
import { ExoError } from "../core/errors.js";
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

/** The same with other types of the KV cache, where any are asked for; values are as keys unless they are named. */
export function withCache<Ring extends Pick<RingSettings, "kvTypeK" | "kvTypeV" | "flashAttention">>(
  ring: Ring,
  asked: { readonly kv?: KvType | null; readonly kvV?: KvType | null },
): Ring {
  const kvTypeK = asked.kv ?? ring.kvTypeK;
  const kvTypeV = asked.kvV ?? asked.kv ?? ring.kvTypeV;
  if (ring.flashAttention !== "off" || kvTypeV === ring.kvTypeV || UNPACKED.includes(kvTypeV)) {
    return { ...ring, kvTypeK, kvTypeV };
  }
  throw new ExoError(
    "invalid_argument",
    `A KV cache whose values are ${kvTypeV} needs flash attention, which is off on this node: take f16 for the values.`,
    { param: asked.kvV == null ? "kv" : "kv_v" },
  );
}

/** Cache types that values may have without flash attention. */
const UNPACKED: readonly KvType[] = ["f32", "f16", "bf16"];
