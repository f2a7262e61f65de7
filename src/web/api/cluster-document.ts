import { at, listAt, numberAt, optionalNumberAt, optionalTextAt, textAt, textsAt } from "./json.js";

/** What `GET /cluster` answers, as far as the page shows it. Sizes are bytes. */
export interface ClusterDocument {
  /** The node that answers. */
  readonly node: { readonly id: string; readonly name: string; readonly version: string };
  readonly nodes: readonly ClusterNode[];
  readonly links: readonly ClusterLink[];
  readonly rings: readonly ClusterRing[];
}

export interface ClusterNode {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly address: string;
  /** Where its own page is; `null` when it does not say. */
  readonly httpAddress: string | null;
  /** `alive`, `suspect`, `gone` or `refused`. */
  readonly state: string;
  /** Why it is not used, when it is not. */
  readonly reason: string | null;
  /** A sentence for the owner of a node that takes part. */
  readonly notice: string | null;
  /** What found it, of one that takes no part. */
  readonly source: string | null;
  /** `mains`, `battery` or `unknown`. */
  readonly power: string | null;
  /** It takes no new layers. */
  readonly draining: boolean;
  /** What it holds in memory. */
  readonly held: readonly HeldStage[];
  readonly devices: readonly ClusterDevice[];
  readonly models: readonly CachedModel[];
  readonly downloads: readonly ClusterDownload[];
}

export interface ClusterDevice {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  readonly memoryTotal: number;
  readonly memoryFree: number;
}

/** A layer range in a node's memory; what it did only grows, since it was loaded. */
export interface HeldStage {
  readonly ringId: string;
  readonly weights: number;
  readonly kvCache: number;
  readonly compute: number;
  readonly microBatches: number;
  readonly computeSeconds: number;
}

export interface CachedModel {
  readonly id: string;
  readonly spec: string;
  readonly complete: boolean;
  /** On the disk. */
  readonly bytes: number;
}

export interface ClusterDownload {
  readonly model: string;
  readonly spec: string;
  readonly received: number;
  /** `null` while nobody has said it. */
  readonly total: number | null;
  /** `waiting`, `downloading` or `verifying`. */
  readonly phase: string;
  readonly bytesPerSecond: number;
  readonly sources: readonly { readonly name: string; readonly received: number; readonly fault: string | null }[];
}

export interface ClusterLink {
  /** Ids of nodes. */
  readonly from: string;
  readonly to: string;
  readonly oneWayMilliseconds: number;
  readonly bytesPerSecond: number;
}

export interface ClusterRing {
  readonly id: string;
  readonly epoch: number;
  readonly model: string;
  readonly spec: string;
  /** `waiting`, `loading`, `ready` or `failed`. */
  readonly state: string;
  readonly reason: string | null;
  /** 0 to 1 while loading. */
  readonly progress: number;
  readonly layerCount: number;
  readonly contextSize: number;
  readonly slots: number;
  readonly busySlots: number;
  readonly waitingRequests: number;
  /** It answers what it has begun and goes away. */
  readonly draining: boolean;
  /** Stays loaded, however long nobody asks. */
  readonly pinned: boolean;
  /** 0, or which further ring of the same model. */
  readonly replica: number;
  /** Why it is as it is, in sentences. */
  readonly plan: readonly string[];
  /** Over the last ten seconds, all requests together; 0 when there were none. */
  readonly decodeTokensPerSecond: number;
  readonly promptTokensPerSecond: number;
  /** Of all answers so far; `null`: the node does not tell. */
  readonly generatedTokens: number | null;
  /** Of the last micro-batch, from each stage to the next one; empty: not known. */
  readonly hopMilliseconds: readonly (number | null)[];
  /** For one request, as planned and as seen; `null` where it is not known. */
  readonly predicted: RingSpeed;
  readonly measured: RingSpeed;
  /** Milliseconds per hop; `null` for a ring of one node. */
  readonly hops: { readonly samples: number; readonly p50: number; readonly p99: number } | null;
  /** In ring order, the head first. */
  readonly stages: readonly ClusterStage[];
}

export interface RingSpeed {
  /** Of a prompt of 512 tokens. */
  readonly ttftSeconds: number | null;
  readonly decodeTokensPerSecond: number | null;
}

export interface ClusterStage {
  readonly nodeId: string;
  readonly nodeName: string;
  /** Half-open layer range. */
  readonly layerBegin: number;
  readonly layerEnd: number;
  /** Output head here. */
  readonly hasOutput: boolean;
  readonly phase: string;
  /** 0 to 1 while loading. */
  readonly progress: number;
  readonly weights: number;
  readonly kvCache: number;
  readonly compute: number;
}

export function parseCluster(body: unknown): ClusterDocument {
  return {
    node: {
      id: textAt(body, "node", "id"),
      name: textAt(body, "node", "name"),
      version: textAt(body, "node", "version"),
    },
    nodes: listAt(body, "nodes").map(parseNode),
    links: listAt(body, "links").map(parseLink),
    rings: listAt(body, "rings").map(parseRing),
  };
}

function parseNode(node: unknown): ClusterNode {
  return {
    id: textAt(node, "id"),
    name: textAt(node, "name") || textAt(node, "id"),
    version: textAt(node, "version"),
    address: textAt(node, "address"),
    httpAddress: optionalTextAt(node, "http_address"),
    state: textAt(node, "state"),
    reason: optionalTextAt(node, "reason"),
    notice: optionalTextAt(node, "notice"),
    source: optionalTextAt(node, "source"),
    power: optionalTextAt(node, "power"),
    draining: at(node, "draining") === true,
    held: listAt(node, "stages").map(parseHeld),
    devices: listAt(node, "devices").map(parseDevice),
    models: listAt(node, "models").map(parseCachedModel),
    downloads: listAt(node, "downloads").map(parseDownload),
  };
}

function parseDevice(device: unknown): ClusterDevice {
  return {
    name: textAt(device, "name"),
    description: textAt(device, "description"),
    kind: textAt(device, "kind"),
    memoryTotal: numberAt(device, "memory_total"),
    memoryFree: numberAt(device, "memory_free"),
  };
}

function parseHeld(stage: unknown): HeldStage {
  return {
    ringId: textAt(stage, "ring_id"),
    weights: numberAt(stage, "memory", "weights"),
    kvCache: numberAt(stage, "memory", "kv_cache"),
    compute: numberAt(stage, "memory", "compute") + numberAt(stage, "memory", "output"),
    microBatches: numberAt(stage, "work", "micro_batches"),
    computeSeconds: numberAt(stage, "work", "compute_seconds"),
  };
}

function parseCachedModel(model: unknown): CachedModel {
  return {
    id: textAt(model, "id"),
    spec: textAt(model, "spec"),
    complete: at(model, "complete") === true,
    bytes: numberAt(model, "bytes"),
  };
}

function parseDownload(download: unknown): ClusterDownload {
  return {
    model: textAt(download, "model"),
    spec: textAt(download, "spec"),
    received: numberAt(download, "received"),
    total: optionalNumberAt(download, "total"),
    phase: textAt(download, "phase"),
    bytesPerSecond: numberAt(download, "bytes_per_second"),
    sources: listAt(download, "sources").map((source) => ({
      name: textAt(source, "name"),
      received: numberAt(source, "received"),
      fault: optionalTextAt(source, "fault"),
    })),
  };
}

function parseLink(link: unknown): ClusterLink {
  return {
    from: textAt(link, "from"),
    to: textAt(link, "to"),
    oneWayMilliseconds: numberAt(link, "one_way_ms"),
    bytesPerSecond: numberAt(link, "bytes_per_second"),
  };
}

export function parseRing(ring: unknown): ClusterRing {
  return {
    id: textAt(ring, "id"),
    epoch: numberAt(ring, "epoch"),
    model: textAt(ring, "model"),
    spec: textAt(ring, "spec"),
    state: textAt(ring, "state"),
    reason: optionalTextAt(ring, "reason"),
    progress: numberAt(ring, "progress"),
    layerCount: numberAt(ring, "layer_count"),
    contextSize: numberAt(ring, "context_size"),
    slots: numberAt(ring, "slots"),
    busySlots: numberAt(ring, "busy_slots"),
    waitingRequests: numberAt(ring, "waiting_requests"),
    draining: at(ring, "draining") === true,
    pinned: at(ring, "pinned") === true,
    replica: numberAt(ring, "replica"),
    plan: textsAt(ring, "plan"),
    decodeTokensPerSecond: numberAt(ring, "rates", "decode_tokens_per_second"),
    promptTokensPerSecond: numberAt(ring, "rates", "prompt_tokens_per_second"),
    generatedTokens: optionalNumberAt(ring, "tokens", "generated"),
    hopMilliseconds: listAt(ring, "hop_ms").map((hop) => optionalNumberAt(hop)),
    predicted: parseSpeed(at(ring, "prediction", "predicted")),
    measured: parseSpeed(at(ring, "prediction", "measured")),
    hops: parseHops(at(ring, "hops")),
    stages: listAt(ring, "stages").map(parseStage),
  };
}

function parseSpeed(speed: unknown): RingSpeed {
  return {
    ttftSeconds: optionalNumberAt(speed, "ttft_seconds"),
    decodeTokensPerSecond: optionalNumberAt(speed, "decode_tokens_per_second"),
  };
}

function parseHops(hops: unknown): ClusterRing["hops"] {
  const samples = optionalNumberAt(hops, "samples");
  return samples === null ? null : { samples, p50: numberAt(hops, "p50_ms"), p99: numberAt(hops, "p99_ms") };
}

function parseStage(stage: unknown): ClusterStage {
  return {
    nodeId: textAt(stage, "node_id"),
    nodeName: textAt(stage, "node_name") || textAt(stage, "node_id"),
    layerBegin: numberAt(stage, "layer_begin"),
    layerEnd: numberAt(stage, "layer_end"),
    hasOutput: at(stage, "has_output") === true,
    phase: textAt(stage, "phase"),
    progress: numberAt(stage, "progress"),
    weights: numberAt(stage, "memory", "weights"),
    kvCache: numberAt(stage, "memory", "kv_cache"),
    compute: numberAt(stage, "memory", "compute"),
  };
}
