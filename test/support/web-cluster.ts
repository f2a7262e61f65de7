import { type ClusterDocument, parseCluster } from "../../src/web/api/cluster-document.js";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** A node as `GET /cluster` tells it. */
export function webNode(id: string, more: object = {}): object {
  return {
    id,
    name: id,
    version: "0.1.0",
    address: `${id}:52416`,
    state: "alive",
    reason: null,
    devices: [{ name: "CPU", description: "a processor", kind: "cpu", memory_total: 8 * GIB, memory_free: 6 * GIB }],
    stages: [],
    models: [],
    downloads: [],
    ...more,
  };
}

/** What a node holds of the ring `r1`, and what it did for it. */
export function heldStage(microBatches: number, computeSeconds = 0): object {
  return {
    ring_id: "r1",
    epoch: 1,
    memory: { weights: 300 * MIB, kv_cache: 100 * MIB, compute: 50 * MIB, output: 0 },
    work: { micro_batches: microBatches, compute_seconds: computeSeconds },
  };
}

export function webStage(node: string, begin: number, end: number, more: object = {}): object {
  return {
    node_id: node,
    node_name: node,
    layer_begin: begin,
    layer_end: end,
    has_output: begin === 0,
    phase: "loaded",
    progress: 1,
    memory: { weights: 300 * MIB, kv_cache: 100 * MIB, compute: 50 * MIB },
    ...more,
  };
}

export function webRing(stages: readonly object[], more: object = {}): object {
  return {
    id: "r1",
    epoch: 1,
    model: "tiny",
    spec: "tiny",
    state: "ready",
    reason: null,
    progress: 1,
    layer_count: 10,
    context_size: 256,
    slots: 2,
    busy_slots: 0,
    waiting_requests: 0,
    plan: [],
    rates: { decode_tokens_per_second: 12, prompt_tokens_per_second: 0 },
    stages,
    ...more,
  };
}

/** The document as the page reads it; the first node is the one that answers. */
export function webCluster(
  nodes: readonly object[],
  rings: readonly object[] = [],
  links: readonly object[] = [],
): ClusterDocument {
  const [first] = nodes;
  return parseCluster({ node: first ?? {}, nodes, rings, links });
}
