import type { LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import type { GgufInfo } from "../model/gguf-info.js";
import { type ModelPart, stageMemory, totalBytes } from "../model/memory-estimate.js";
import { placeModel } from "../planning/placement.js";
import { type Topology, usableMemory } from "../planning/topology.js";
import type { PlaceableModel } from "./model-source.js";
import type { HeldStage, NodeRecord } from "./node-record.js";
import type { Placement } from "./placed-model.js";
import type { RingSettings } from "./ring-settings.js";

export interface PlaceOptions {
  readonly model: Pick<PlaceableModel, "id" | "info">;
  readonly nodes: readonly NodeRecord[];
  /** Node id; `null`: the planner chooses, and by hand it is the node that holds layer 0. */
  readonly head: string | null;
  readonly ring: Omit<RingSettings, "contextSize">;
  /** Tokens per slot, or `null`: as many as the model was trained for, up to a limit, and as fit. */
  readonly contextSize: number | null;
  readonly layers: readonly LayerAssignment[] | null;
  /** A model that the head holds whole beside its stage, or `null`. */
  readonly besideHead: GgufInfo | null;
}

/** More context than this is only given to those who ask for it: its cache is taken from the machine at once. */
const DEFAULT_CONTEXT = 8192;
/** A default context is halved down to this before the model counts as too large. */
const LEAST_CONTEXT = 512;

/** Throws as `placeModel` does. */
export function place(options: PlaceOptions): Placement {
  const wanted = options.contextSize ?? Math.min(options.model.info.contextTrained, DEFAULT_CONTEXT);
  const least = options.contextSize ?? Math.min(wanted, LEAST_CONTEXT);
  for (let contextSize = wanted; ; contextSize = Math.max(least, Math.floor(contextSize / 2))) {
    try {
      return placeWith(options, contextSize);
    } catch (thrown) {
      const tooLarge = ExoError.from(thrown).code === "out_of_memory";
      if (!tooLarge || contextSize <= least) throw thrown;
    }
  }
}

function placeWith({ model, nodes, head, ring, layers, besideHead }: PlaceOptions, contextSize: number): Placement {
  const needs = {
    contextSize,
    slots: ring.slots,
    kvType: ring.kvTypeK,
    kvTypeV: ring.kvTypeV,
    ubatch: ring.microBatchSize,
    flashAttention: ring.flashAttention !== "off",
  };
  const taken = besideHead === null ? 0 : totalBytes(stageMemory(besideHead, wholeModel(besideHead), needs));
  const topology = head === null ? topologyOf(nodes) : withLess(topologyOf(nodes), head, taken);
  const plan = placeModel({
    model: model.id,
    info: model.info,
    topology,
    needs,
    layers,
    ...(head === null ? {} : { head }),
  });
  return { plan, ring: { ...ring, contextSize } };
}

function wholeModel({ layerCount }: GgufInfo): ModelPart {
  return { begin: 0, end: layerCount, hasEmbedding: true, hasOutput: true };
}

/** The same, with so many bytes of one node spoken for. */
function withLess({ nodes }: Topology, nodeId: string, bytes: number): Topology {
  if (bytes === 0) return { nodes };
  return {
    nodes: nodes.map((node) =>
      node.id === nodeId ? { ...node, memoryCap: Math.max(0, usableMemory(node) - bytes) } : node,
    ),
  };
}

function topologyOf(nodes: readonly NodeRecord[]): Topology {
  return {
    nodes: nodes.map(({ id, name, devices, memoryCap, stages }) => ({
      id,
      name,
      devices,
      // Free memory tells what other rings took of the machine; of the cap that must be taken off.
      memoryCap:
        memoryCap === null ? null : Math.max(0, memoryCap - stages.reduce((sum, stage) => sum + taken(stage), 0)),
    })),
  };
}

function taken({ memory }: HeldStage): number {
  return memory.weights + memory.kvCache + memory.compute + memory.output;
}
