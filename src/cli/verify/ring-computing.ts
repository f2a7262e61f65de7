import { z } from "zod";
import { type Config, KV_TYPES } from "../../config/config.js";
import type { RingDocument } from "../node-client/cluster-document.js";

/** What the numbers depend on, beside the weights. */
export interface RingComputing {
  /** Most rows in one compute pass. */
  readonly ubatch: number;
  readonly kv: Config["kv"];
  readonly kvV: Config["kv"];
  readonly flashAttention: Config["flashAttention"];
  /** Activations arrive as they were sent. */
  readonly exactWire: boolean;
  /** The ring tells it; else these are the settings of this process. */
  readonly told: boolean;
}

const toldSchema = z.object({
  ubatch: z.int().positive(),
  kv: z.enum(KV_TYPES),
  kv_v: z.enum(KV_TYPES),
  flash_attention: z.enum(["auto", "on", "off"]),
  wire: z.string(),
});

/** As the ring tells it in words that are known here, or else as this process would compute. */
export function ringComputing(
  ring: Pick<RingDocument, "computing">,
  config: Pick<Config, "ubatch" | "kv" | "kvV" | "flashAttention">,
): RingComputing {
  const told = toldSchema.safeParse(ring.computing);
  if (!told.success) {
    const { ubatch, kv, flashAttention } = config;
    return { ubatch, kv, kvV: config.kvV ?? kv, flashAttention, exactWire: false, told: false };
  }
  const { ubatch, kv, kv_v, flash_attention, wire } = told.data;
  return { ubatch, kv, kvV: kv_v, flashAttention: flash_attention, exactWire: wire === "f32", told: true };
}
