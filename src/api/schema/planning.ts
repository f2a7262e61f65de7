import { z } from "zod";
import type { EstimateQuestion, PlanQuestion } from "../../cluster/planner.js";
import { parseByteSize } from "../../config/byte-size.js";
import { KV_TYPES, STRATEGIES } from "../../config/config.js";
import { parseLayerAssignments } from "../../config/layer-assignment.js";
import { parseModelShape } from "../../model/model-shape.js";
import { parseBody, wrongField } from "./parse-body.js";

const spec = z.string().min(1).max(4096);
const contextSize = z
  .int()
  .min(16)
  .max(2 ** 27);
const slots = z.int().min(1).max(256);

const planSchema = z.object({
  model: spec,
  strategy: z.enum(STRATEGIES).nullish(),
  context_size: contextSize.nullish(),
  slots: slots.nullish(),
  kv: z.enum(KV_TYPES).nullish(),
  kv_v: z.enum(KV_TYPES).nullish(),
  min_nodes: z.int().min(1).max(1000).nullish(),
  layers: z.string().max(65_536).nullish(),
  head: z.string().max(4096).nullish(),
  draft_model: spec.nullish(),
});

const size = z.union([z.number().positive(), z.string()], { error: 'a number of bytes or a size such as "16GiB"' });

const estimateSchema = z.object({
  model: spec.nullish(),
  shape: z.unknown().optional(),
  quantisation: z.string().max(64).nullish(),
  context_size: contextSize.nullish(),
  slots: slots.nullish(),
  kv: z.enum(KV_TYPES).nullish(),
  kv_v: z.enum(KV_TYPES).nullish(),
  memory: z.array(size).min(1).max(64).nullish(),
  link: z.object({ seconds: z.number().min(0).max(60), bytes_per_second: z.number().positive() }).nullish(),
});

/** How most models are fetched. */
const USUAL_QUANTISATION = "Q4_K_M";

export function parsePlanQuestion(body: unknown): PlanQuestion {
  const parsed = parseBody(planSchema, body);
  return {
    model: parsed.model,
    strategy: parsed.strategy ?? null,
    contextSize: parsed.context_size ?? null,
    slots: parsed.slots ?? null,
    kv: parsed.kv ?? null,
    kvV: parsed.kv_v ?? null,
    minNodes: parsed.min_nodes ?? null,
    layers: parsed.layers == null ? null : layersOf(parsed.layers, body),
    draftModel: parsed.draft_model ?? null,
    head: parsed.head ?? null,
  };
}

function layersOf(text: string, body: unknown): PlanQuestion["layers"] {
  const layers = parseLayerAssignments(text);
  if (layers !== null) return layers;
  throw wrongField(["layers"], 'ranges such as "0-11@node-a,11-22@node-b"', body);
}

export function parseEstimateQuestion(body: unknown): EstimateQuestion {
  const parsed = parseBody(estimateSchema, body);
  return {
    model: modelOf(parsed, body),
    contextSize: parsed.context_size ?? null,
    slots: parsed.slots ?? null,
    kv: parsed.kv ?? null,
    kvV: parsed.kv_v ?? null,
    memory: parsed.memory?.map((value, index) => bytesOf(value, index, body)) ?? null,
    link: parsed.link ? { seconds: parsed.link.seconds, bytesPerSecond: parsed.link.bytes_per_second } : null,
  };
}

function modelOf(
  { model, shape, quantisation }: z.output<typeof estimateSchema>,
  body: unknown,
): EstimateQuestion["model"] {
  if (shape !== undefined && shape !== null) {
    const name = model ?? "a model of this shape";
    return { name, shape: parseModelShape(shape), quantisation: quantisation ?? USUAL_QUANTISATION };
  }
  if (model != null) return model;
  throw wrongField(["model"], "the name of a model, or its shape", body);
}

function bytesOf(value: number | string, index: number, body: unknown): number {
  const bytes = typeof value === "number" ? Math.floor(value) : parseByteSize(value);
  if (bytes !== null && bytes > 0) return bytes;
  throw wrongField(["memory", index], 'a number of bytes or a size such as "16GiB"', body);
}
