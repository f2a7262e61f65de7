import { z } from "zod";

const text = z.string();
const number = z.number();

const device = z.looseObject({ name: text, description: text, memory_total: number, memory_free: number });

/** What is only shown, and not by every node: one in another shape is taken for none. */
function shown<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().catch(null);
}

/** One way, for a small message, and for many bytes. */
const link = z.looseObject({ from: text, to: text, one_way_ms: number, bytes_per_second: number });

const download = z.looseObject({
  spec: text,
  model: text.nullish(),
  received: number,
  total: number.nullable(),
  phase: text,
  bytes_per_second: number.nullish(),
});

const speeds = z.looseObject({ ttft_seconds: number.nullish(), decode_tokens_per_second: number.nullish() });

const heldStage = z.looseObject({
  ring_id: text,
  epoch: number,
  /** Since the stage was loaded. */
  work: z.looseObject({ compute_seconds: number }).optional(),
});

const node = z.looseObject({
  id: text,
  name: text,
  version: text,
  address: text,
  http_address: shown(text),
  state: text,
  reason: text.nullable(),
  devices: z.array(device),
  stages: z.array(heldStage).optional(),
  /** It takes no new layers. */
  draining: shown(z.boolean()),
  /** Loaded for no ring: what one left behind, or spares. */
  kept: shown(z.array(z.looseObject({ spec: text, layer_begin: number, layer_end: number, spare: z.boolean() }))),
  /** `mains`, `battery` or `unknown`. */
  power: shown(text),
  downloads: shown(z.array(download)),
  /** What its owner should know, although it takes part. */
  notice: shown(text),
  /** What found it, of one that takes no part. */
  source: shown(text),
});

const stage = z.looseObject({
  node_id: text,
  layer_begin: number,
  layer_end: number,
  has_output: z.boolean(),
  memory: z.looseObject({ weights: number, kv_cache: number, compute: number }),
  planned_weights: number.optional(),
  progress: number.optional(),
  phase: text.optional(),
});

const ring = z.looseObject({
  id: text,
  epoch: number,
  model: text,
  /** What another node finds the same model by. */
  spec: text.optional(),
  state: text,
  progress: number,
  layer_count: number,
  context_size: number,
  stages: z.array(stage),
  /** Nodes that stand by for stages. */
  spares: shown(z.array(z.looseObject({ node_id: text, layer_begin: number, layer_end: number, state: text }))),
  reason: text.nullish(),
  hops: z.looseObject({ p50_ms: number, p99_ms: number }).nullish(),
  /** Over the last seconds; 0: nothing was computed. */
  rates: shown(z.looseObject({ decode_tokens_per_second: number, prompt_tokens_per_second: number })),
  /** By the planner, for one request, and what real requests showed of the same. */
  prediction: shown(z.looseObject({ predicted: speeds.nullish(), measured: speeds.nullish() })),
  /** Of several rings of one model; 0 is the first. */
  replica: shown(number),
  /** It takes no new requests. */
  draining: shown(z.boolean()),
  /** Why it was placed so, in sentences. */
  plan: shown(z.array(text)),
  slots: number.optional(),
  busy_slots: number.optional(),
  waiting_requests: number.optional(),
  /** Options that its numbers depend on, by their names. */
  computing: z.looseObject({}).nullish(),
});

/**
 * `GET /cluster` as read here: what `ClusterSnapshot` promises, with words that a newer node may add to kept as text,
 * and what else is shown when a node tells it.
 */
export const clusterDocument = z.looseObject({
  node: z.looseObject({ id: text, name: text, version: text }),
  nodes: z.array(node),
  rings: z.array(ring),
  links: shown(z.array(link)),
});

export type ClusterDocument = z.output<typeof clusterDocument>;
export type NodeDocument = z.output<typeof node>;
export type RingDocument = z.output<typeof ring>;
export type StageDocument = z.output<typeof stage>;
export type LinkDocument = z.output<typeof link>;
export type DownloadDocument = z.output<typeof download>;
