import type { Member, Stranger } from "../cluster/membership.js";
import type {
  KeptStageRecord,
  NodeRecord,
  RingComputingRecord,
  RingRecord,
  StageWorkRecord,
} from "../cluster/node-record.js";
import type { PredictionRecord } from "../cluster/prediction-record.js";
import { formatHostPort } from "../config/address.js";
import { displayNames } from "../core/display-names.js";
import type { DiscoveredPeer, SourceReport } from "../discovery/discovery.js";
import type { ClusterNode, ClusterRing, ClusterSnapshot } from "./cluster-snapshot.js";
import { type ClusterActivity, clusterActivity, toTokens } from "./events/cluster-activity.js";
import { strangersAmong, toDiscovery, toStranger } from "./found-peers.js";
import { toAddress, toRefused } from "./member-addresses.js";
import type { ClusterView, ModelCard, ModelCatalog, Readiness } from "./ports.js";
import { withNameNotices } from "./same-names.js";

export interface ClusterSources {
  readonly self: () => NodeRecord;
  /** `host:port` of this node's gRPC server. */
  readonly selfAddress: () => string;
  /** What is wrong with this node in the eyes of others, or `null`. */
  readonly selfFault: () => string | null;
  readonly members: () => readonly Member[];
  /** Met by membership, without taking part. */
  readonly strangers: () => readonly Stranger[];
  readonly seen: () => readonly DiscoveredPeer[];
  /** How other nodes are looked for. */
  readonly sources: () => readonly SourceReport[];
  /** Models that would be loaded on demand. */
  readonly known: () => readonly { readonly id: string; readonly spec: string; readonly bytes: number }[];
}

/** What the API shows of the cluster, made anew of the nodes' records at each question. */
export class ClusterState implements ClusterView, ModelCatalog {
  readonly #sources: ClusterSources;

  constructor(sources: ClusterSources) {
    this.#sources = sources;
  }

  list(): readonly ModelCard[] {
    const rings = withUniqueNames(this.#rings());
    const held = this.#onDisk();
    const cards = [
      ...rings.filter((ring) => ring.state === "ready").map((ring) => toCard(ring, "loaded")),
      ...rings.filter(isComing).map((ring) => toCard(ring, "loading")),
      ...this.#sources.known().map(toKnownCard),
    ];
    const unique = cards.filter((card, index) => cards.findIndex((other) => other.id === card.id) === index);
    return unique.map((card) => ({
      ...card,
      onDisk: [card.id, ...(card.aliases ?? [])].some((name) => held.has(name)),
    }));
  }

  readiness(): Readiness {
    const rings = this.#rings();
    if (rings.some((ring) => ring.state === "ready")) return { ready: true, reason: null };
    const [first] = rings;
    if (first === undefined) {
      return { ready: false, reason: "No model is placed; start a node with `exo-native serve <model>`." };
    }
    return { ready: false, reason: first.reason ?? `${first.model} is ${first.state}.` };
  }

  /** What flows through the rings. */
  activity(): ClusterActivity {
    const alive = this.#sources.members().filter(({ state }) => state !== "gone");
    return clusterActivity([this.#sources.self(), ...alive.map(({ record }) => record)]);
  }

  snapshot(): ClusterSnapshot {
    const self = this.#sources.self();
    const members = this.#sources.members();
    const met = this.#sources.strangers();
    const seen = this.#sources.seen();
    const names = displayNames([self, ...members]);
    const nodes = withNameNotices([
      toNode(self, this.#sources.selfAddress()),
      ...members.map(toMember),
      ...met.map(toRefused),
      ...strangersAmong(seen, self.id, [...members, ...met]).map(toStranger),
    ]);
    const fault = this.#sources.selfFault();
    return {
      node: { id: self.id, name: self.name, version: self.version },
      nodes: nodes.map((node, index) => ({
        ...node,
        name: names.get(node.id) ?? node.name,
        ...(index === 0 && fault !== null ? { notice: fault } : {}),
      })),
      links: [self, ...members.filter(({ state }) => state !== "gone").map(({ record }) => record)].flatMap(toLinks),
      rings: this.#rings().map((ring) => toRing(ring, names)),
      discovery: toDiscovery(this.#sources.sources(), seen),
    };
  }

  /** Ids and specs of models that some node has whole. */
  #onDisk(): ReadonlySet<string> {
    const alive = this.#sources.members().filter((member) => member.state !== "gone");
    const held = [this.#sources.self(), ...alive.map(({ record }) => record)].flatMap(({ models }) => models);
    return new Set(held.filter(({ complete }) => complete).flatMap(({ id, spec }) => [id, spec]));
  }

  #rings(): readonly RingRecord[] {
    const alive = this.#sources.members().filter((member) => member.state !== "gone");
    return [...this.#sources.self().rings, ...alive.flatMap((member) => member.record.rings)];
  }
}

/** Two files may have one name; their models are then listed by spec. */
function withUniqueNames(rings: readonly RingRecord[]): readonly RingRecord[] {
  const isShared = ({ model, spec }: RingRecord): boolean =>
    rings.some((other) => other.model === model && other.spec !== spec);
  return rings.map((ring) => (isShared(ring) ? { ...ring, model: ring.spec } : ring));
}

/** It is being loaded, or was and comes back: requests for it wait. */
function isComing({ state, epoch, gaveUp }: RingRecord): boolean {
  return state === "loading" || (state !== "ready" && epoch > 0 && !gaveUp);
}

function toCard(ring: RingRecord, state: "loaded" | "loading"): ModelCard {
  return {
    id: ring.model,
    aliases: [...new Set([ring.spec, ring.askedAs])].filter((name) => name !== ring.model),
    created: ring.card.created,
    ownedBy: "exo-native",
    state,
    contextSize: ring.contextSize,
    contextTrained: ring.card.contextTrained,
    vocabularySize: ring.card.vocabularySize,
    embeddingSize: ring.card.embeddingSize,
    parameterCount: ring.card.parameterCount,
    sizeBytes: ring.card.sizeBytes,
    architecture: ring.card.architecture,
    ...(ring.card.capabilities === undefined ? {} : { capabilities: ring.card.capabilities }),
  };
}

function toKnownCard({ id, spec, bytes }: { id: string; spec: string; bytes: number }): ModelCard {
  const aliases = spec === id ? [] : [spec];
  return { id, aliases, created: 0, ownedBy: "exo-native", state: "unloaded", sizeBytes: bytes };
}

function toNode(record: NodeRecord, address: string): ClusterNode {
  return {
    id: record.id,
    name: record.name,
    version: record.version,
    llama_cpp: record.llamaTag,
    address,
    http_address: record.httpAddress,
    state: "alive",
    reason: null,
    memory_cap: record.memoryCap,
    power: record.power,
    draining: record.draining,
    devices: record.devices.map((device) => ({
      name: device.name,
      description: device.description,
      kind: device.kind,
      memory_total: device.memoryTotal,
      memory_free: device.memoryFree,
    })),
    stages: record.stages.map((stage) => ({
      ring_id: stage.ringId,
      epoch: stage.epoch,
      model: stage.model,
      stage_index: stage.stageIndex,
      layer_begin: stage.layerBegin,
      layer_end: stage.layerEnd,
      has_output: stage.hasOutput,
      memory: toMemory(stage.memory),
      work: toWork(stage.work),
    })),
    kept: record.kept.map(toKept),
    models: record.models,
    downloads: record.downloads.map(({ bytesPerSecond, ...download }) => ({
      ...download,
      bytes_per_second: bytesPerSecond,
    })),
  };
}

function toMember({ record, address, addresses, state, reason }: Member): ClusterNode {
  return { ...toNode(record, formatHostPort(address)), addresses: addresses.map(toAddress), state, reason };
}

/** @param names by node id */
export function toRing(ring: RingRecord, names: ReadonlyMap<string, string>): ClusterRing {
  const { stages } = ring;
  const progress = stages.reduce((sum, stage) => sum + stage.progress, 0) / Math.max(1, stages.length);
  return {
    id: ring.id,
    epoch: ring.epoch,
    model: ring.model,
    spec: ring.spec,
    replica: ring.replica,
    pinned: ring.pinned,
    draining: ring.draining,
    idle_seconds: ring.idleSeconds,
    keep_alive_seconds: ring.keepAliveSeconds ?? null,
    // One that was just asked for waits for nothing that could be named.
    state: ring.state === "waiting" && ring.reason === null ? "loading" : ring.state,
    reason: ring.reason,
    healing: ring.healing ?? false,
    progress: ring.state === "ready" ? 1 : progress,
    layer_count: ring.layerCount,
    context_size: ring.contextSize,
    slots: ring.slots,
    busy_slots: ring.busySlots,
    waiting_requests: ring.waitingRequests,
    computing: ring.computing && toComputing(ring.computing),
    plan: ring.planReasons,
    prediction: toPrediction(ring.prediction),
    rates: {
      decode_tokens_per_second: ring.rates.decode,
      prompt_tokens_per_second: ring.rates.prompt,
    },
    tokens: toTokens(ring.tokens),
    micro_batches_under_way: ring.microBatchesUnderWay,
    hop_ms: ring.hopMs,
    hops: ring.hops && { samples: ring.hops.samples, p50_ms: ring.hops.p50, p99_ms: ring.hops.p99 },
    stages: stages.map((stage) => ({
      node_id: stage.nodeId,
      node_name: names.get(stage.nodeId) ?? stage.nodeName,
      layer_begin: stage.layerBegin,
      layer_end: stage.layerEnd,
      has_output: stage.hasOutput,
      phase: stage.phase,
      progress: stage.progress,
      memory: toMemory(stage.memory),
      planned_weights: stage.plannedWeights,
      kept: stage.kept ?? false,
    })),
    spares: (ring.spares ?? []).map(({ nodeId, layerBegin, layerEnd, state }) => ({
      node_id: nodeId,
      node_name: names.get(nodeId) ?? nodeId,
      layer_begin: layerBegin,
      layer_end: layerEnd,
      state,
    })),
  };
}

function toKept({ ringId, spec, layerBegin, layerEnd, hasOutput, spare, memory }: KeptStageRecord) {
  return {
    ring_id: ringId,
    spec,
    layer_begin: layerBegin,
    layer_end: layerEnd,
    has_output: hasOutput,
    spare,
    memory: toMemory(memory),
  };
}

function toLinks({ id, links }: NodeRecord) {
  return links.map(({ to, seconds, bytesPerSecond }) => ({
    from: id,
    to,
    one_way_ms: seconds * 1000,
    bytes_per_second: bytesPerSecond,
  }));
}

function toPrediction({ predicted, measured, error }: PredictionRecord) {
  return {
    predicted: predicted && {
      ttft_seconds: predicted.ttftSeconds,
      decode_tokens_per_second: predicted.decodeTokensPerSecond,
      aggregate_tokens_per_second: predicted.aggregateTokensPerSecond,
    },
    measured: {
      ttft_seconds: measured.ttftSeconds,
      decode_tokens_per_second: measured.decodeTokensPerSecond,
      requests: measured.requests,
    },
    error,
  };
}

function toComputing({ ubatch, kvTypeK, kvTypeV, flashAttention, wireType }: RingComputingRecord) {
  return { ubatch, kv: kvTypeK, kv_v: kvTypeV, flash_attention: flashAttention, wire: wireType };
}

function toWork(work: StageWorkRecord) {
  return {
    micro_batches: work.microBatches,
    rows: work.rows,
    copies: work.copies,
    compute_seconds: work.computeSeconds,
    frames_sent: work.framesSent,
    bytes_sent: work.bytesSent,
  };
}

function toMemory(memory: { weights: number; kvCache: number; compute: number; output: number }) {
  return { weights: memory.weights, kv_cache: memory.kvCache, compute: memory.compute, output: memory.output };
}
