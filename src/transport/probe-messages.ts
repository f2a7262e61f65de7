import { z } from "zod";
import { KV_TYPES } from "../config/config.js";
import type { ModelSpeed } from "../planning/speeds.js";
import type { ProbeModelRequest } from "./node-service.js";

/** What nodes measured, as it comes from a peer or from a file. */

const u32 = z.int().min(0).max(0xffff_ffff);
/** Seconds; nothing that is measured takes a day. */
const seconds = z.number().nonnegative().max(86_400);

const passes = z
  .array(z.object({ rows: z.int().min(1).max(1_048_576), seconds: seconds.positive() }))
  .min(1)
  .max(64)
  .refine((list) => list.every(({ rows }, index) => rows > (list[index - 1]?.rows ?? 0)), "the rows do not rise");

export const modelSpeedSchema: z.ZodType<ModelSpeed> = z
  .object({
    kinds: z
      .array(z.object({ passes, perCachedToken: seconds, perCachedTokenOfMany: seconds }))
      .min(1)
      .max(4096),
    kindOfLayer: z.array(u32).min(1).max(4096),
    output: passes,
    perPass: seconds,
  })
  .refine(({ kinds, kindOfLayer }) => kindOfLayer.every((kind) => kind < kinds.length), "a layer is of no kind");

export const probeModelRequestSchema: z.ZodType<ProbeModelRequest> = z.object({
  model: z.string().min(1).max(4096),
  cores: u32,
  microBatchSize: u32.min(1),
  kvTypeK: z.enum(KV_TYPES),
  kvTypeV: z.enum(KV_TYPES),
  flashAttention: z.enum(["auto", "on", "off"]),
  refresh: z.boolean(),
});
