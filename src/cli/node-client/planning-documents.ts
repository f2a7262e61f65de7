import { z } from "zod";
import { KV_TYPES } from "../../config/config.js";

const text = z.string();
const number = z.number();

/** `POST /cluster/plan` as read here. */
export const planDocumentSchema = z.looseObject({
  model: text,
  strategy: text,
  layer_count: number,
  context_size: number,
  slots: number,
  stages: z.array(
    z.looseObject({
      node_id: text,
      node_name: text,
      layer_begin: number,
      layer_end: number,
      has_output: z.boolean(),
      memory: z.looseObject({ weights: number, kv_cache: number, compute: number, offered: number }),
      predicted: z.looseObject({ compute_seconds: number, hop_seconds: number }).nullable(),
    }),
  ),
  predicted: z
    .looseObject({
      prompt_tokens: number,
      ttft_seconds: number,
      decode_tokens_per_second: number,
      aggregate_tokens_per_second: number,
    })
    .nullable(),
  reasons: z.array(text),
});

export type ReadPlan = z.output<typeof planDocumentSchema>;

/** `POST /cluster/estimate` as read here. */
export const estimateDocumentSchema = z.looseObject({
  model: text,
  parameters: number,
  quantisation: text,
  bits_per_weight: number,
  context_size: number,
  context_trained: number,
  slots: number,
  kv: z.enum(KV_TYPES),
  kv_v: z.enum(KV_TYPES),
  memory: z.looseObject({
    weights: number,
    kv_cache: number,
    compute: number,
    total: number,
    overhead_per_node: number,
    kv_cache_per_token: number,
  }),
  /** By llama.cpp's own accounting, where it was asked. */
  accounted: z.looseObject({ weights: number, kv_cache: number, compute: number, total: number }).optional(),
  fit: text,
  largest_context: number,
  nodes: z.array(
    z.looseObject({
      node_name: text,
      offered: number,
      holds_all: z.boolean(),
      most_layers: number,
      largest_context: number,
    }),
  ),
  quantisations: z.array(z.looseObject({ quantisation: text, bytes: number, fit: text })),
  network: z.looseObject({ bytes_per_hop: number, hops: number, seconds_per_token: number }).nullable(),
  advice: z.array(text),
});

export type ReadEstimate = z.output<typeof estimateDocumentSchema>;
