import type { ModelDescription } from "../../model/model-descriptions.js";
import type { ClusterRing, ClusterSnapshot, ClusterStage } from "../cluster-snapshot.js";
import type { ModelCard } from "../ports.js";
import { detailsJson, digestOf } from "./model-details.js";
import { taggedName } from "./names.js";

/** Stays loaded for ever: clients read a date, so it is one that nobody sees. */
const FOR_EVER_SECONDS = 100 * 365 * 86_400;

/** Whether it can be asked without fetching it first. */
export function isHere({ state, onDisk }: ModelCard): boolean {
  return state !== "unloaded" || onDisk === true;
}

/** A model of `GET /api/tags`. */
export function tagJson(card: ModelCard, description: ModelDescription | null) {
  const name = taggedName(card.id);
  return {
    name,
    model: name,
    modified_at: (description?.modified ?? new Date(card.created * 1000)).toISOString(),
    size: card.sizeBytes ?? 0,
    digest: digestOf(description),
    details: detailsJson(card, description),
  };
}

/** A model of `GET /api/ps`: sizes are what it takes in memory, over all nodes. */
export function loadedJson(
  ring: ClusterRing,
  nodes: ClusterSnapshot["nodes"],
  card: ModelCard,
  description: ModelDescription | null,
  now: number,
) {
  const name = taggedName(card.id);
  const withGpu = new Set(nodes.filter(hasGpu).map(({ id }) => id));
  return {
    name,
    model: name,
    size: memoryOf(ring.stages),
    digest: digestOf(description),
    details: detailsJson(card, description),
    expires_at: new Date(now + secondsLeft(ring) * 1000).toISOString(),
    size_vram: memoryOf(ring.stages.filter(({ node_id }) => withGpu.has(node_id))),
    context_length: ring.context_size,
  };
}

function memoryOf(stages: readonly ClusterStage[]): number {
  return stages.reduce((sum, { memory }) => sum + memory.weights + memory.kv_cache + memory.compute, 0);
}

function hasGpu({ devices }: ClusterSnapshot["nodes"][number]): boolean {
  return devices.some(({ kind = "cpu" }) => kind !== "cpu");
}

function secondsLeft({ pinned, keep_alive_seconds: keepAlive, idle_seconds: idle }: ClusterRing): number {
  if (pinned === true || keepAlive == null) return FOR_EVER_SECONDS;
  return Math.max(0, keepAlive - (idle ?? 0));
}
