import { z } from "zod";

const text = z.string();
const number = z.number();

const device = z.looseObject({ name: text, description: text, memory_total: number, memory_free: number });

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
  state: text,
  reason: text.nullable(),
  /** What found it, of one that takes no part. */
  source: text.optional(),
  devices: z.array(device),
  stages: z.array(heldStage).optional(),
});

const stage = z.looseObject({
  node_id: text,
  layer_begin: number,
  layer_end: number,
  has_output: z.boolean(),
  memory: z.looseObject({ weights: number, kv_cache: number, compute: number }),
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
  reason: text.nullish(),
  hops: z.looseObject({ p50_ms: number, p99_ms: number }).nullish(),
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
});

export type ClusterDocument = z.output<typeof clusterDocument>;
export type NodeDocument = z.output<typeof node>;
export type RingDocument = z.output<typeof ring>;
export type StageDocument = z.output<typeof stage>;
