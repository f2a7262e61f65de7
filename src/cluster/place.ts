import type { Strategy } from "../config/config.js";
import type { LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import type { GgufInfo } from "../model/gguf-info.js";
import { type MemoryNeeds, type ModelPart, stageMemory, totalBytes } from "../model/memory-estimate.js";
import type { ModelHeader } from "../model/resolved-model.js";
import { type PlacementRequest, placeModel } from "../planning/placement.js";
import { placeReplicas, type ReplicaPlan } from "../planning/replicas.js";
import type { Speeds } from "../planning/speeds.js";
import type { Topology } from "../planning/topology.js";
import type { HeldStage, NodeRecord } from "./node-record.js";
import type { Placement } from "./placed-model.js";
import type { RingSettings } from "./ring-settings.js";

/** What planning needs to know of a node. */
export type PlaceableNode = Pick<NodeRecord, "id" | "name" | "devices" | "memoryCap" | "stages">;

export interface PlaceOptions {
  readonly model: Pick<ModelHeader, "id" | "info">;
  readonly nodes: readonly PlaceableNode[];
  readonly ring: Omit<RingSettings, "contextSize">;
  /** Tokens per slot, or `null`: as many as the model was trained for, up to a limit, and as fit. */
  readonly contextSize: number | null;
  readonly layers: readonly LayerAssignment[] | null;
  /** A model that the head holds whole beside its stage, or `null`. */
  readonly besideHead: GgufInfo | null;
  readonly strategy: Strategy;
  /** What was measured of this model on these nodes; `null`: nothing yet. */
  readonly speeds: Speeds | null;
  readonly minNodes: number;
  /** Node id of the head; `null`: the planner chooses. */
  readonly head: string | null;
}

/** More context than this is only given to those who ask for it: its cache is taken from the machine at once. */
export const DEFAULT_CONTEXT = 8192;
/** A default context is halved down to this before the model counts as too large. */
const LEAST_CONTEXT = 512;

/** Plans a model. Throws as `placeModel` does. */
export function place(options: PlaceOptions): Placement {
  const { contextTrained, texts } = options.model.info;
  const asked = options.contextSize ?? Math.min(contextTrained, DEFAULT_CONTEXT);
  // What such a model makes of longer texts nobody has seen, and some have no positions for them.
  const wanted = texts.wholeTexts ? Math.min(asked, contextTrained) : asked;
  const least = options.contextSize === null ? Math.min(wanted, LEAST_CONTEXT) : wanted;
  for (let contextSize = wanted; ; contextSize = Math.max(least, Math.floor(contextSize / 2))) {
    try {
      return placeWith(options, contextSize);
    } catch (thrown) {
      const tooLarge = ExoError.from(thrown).code === "out_of_memory";
      if (!tooLarge || contextSize <= least) throw thrown;
    }
  }
}

/** Most bytes of hidden states in one micro-batch; a little less than a frame may have. */
const MOST_BATCH_BYTES = 128 * 1024 * 1024;

/** A model that reads texts whole takes the longest of them in one micro-batch. */
function ringFor(
  { texts, embeddingSize }: GgufInfo,
  ring: Omit<RingSettings, "contextSize">,
  contextSize: number,
): Omit<RingSettings, "contextSize"> {
  if (!texts.wholeTexts) return ring;
  const most = Math.floor(MOST_BATCH_BYTES / (4 * embeddingSize));
  const rows = Math.max(ring.batchSize, Math.min(contextSize, most));
  return { ...ring, batchSize: rows, microBatchSize: rows };
}

function placeWith(options: PlaceOptions, contextSize: number): Placement {
  const { model, nodes, head } = options;
  const ring = ringFor(model.info, options.ring, contextSize);
  const plan = placeModel(requestOf(options, ring, contextSize));
  if (head !== null && plan.head !== head) throw headElsewhere(nodes, head, plan.head);
  return { plan, ring: { ...ring, contextSize } };
}

/** The whole model on each of several nodes, where that gives more than one ring; one plan where it does not. */
export function placeCopies(options: PlaceOptions, contextSize: number): ReplicaPlan {
  const ring = ringFor(options.model.info, options.ring, contextSize);
  return placeReplicas(requestOf(options, ring, contextSize));
}

function requestOf(
  { model, nodes, layers, besideHead, strategy, speeds, minNodes, head }: PlaceOptions,
  ring: Omit<RingSettings, "contextSize">,
  contextSize: number,
): PlacementRequest {
  const needs = memoryNeeds(ring, contextSize);
  return {
    model: model.id,
    info: model.info,
    topology: topologyOf(nodes),
    needs,
    strategy,
    speeds,
    head,
    layers,
    minNodes,
    wireType: ring.wireType,
    besideHead: besideHead === null ? 0 : besideHeadBytes(besideHead, needs),
  };
}

function headElsewhere(nodes: readonly PlaceableNode[], wanted: string, planned: string): ExoError {
  const nameOf = (id: string): string => nodes.find((node) => node.id === id)?.name ?? id;
  const other = nameOf(planned);
  return new ExoError(
    "invalid_argument",
    `--layers puts layer 0 on ${other}, which is then the head; give the model and --layers to ${other}, or begin with ${nameOf(wanted)}.`,
    { param: "layers" },
  );
}

/** What the caches and buffers of a ring must be large enough for. */
export function memoryNeeds(ring: Omit<RingSettings, "contextSize">, contextSize: number): MemoryNeeds {
  return {
    contextSize,
    slots: ring.slots,
    kvType: ring.kvTypeK,
    kvTypeV: ring.kvTypeV,
    ubatch: ring.microBatchSize,
    flashAttention: ring.flashAttention !== "off",
  };
}

/** What a model takes that the head holds whole beside its stage. */
export function besideHeadBytes(info: GgufInfo, needs: MemoryNeeds): number {
  return totalBytes(stageMemory(info, wholeModel(info), needs));
}

function wholeModel({ layerCount }: GgufInfo): ModelPart {
  return { begin: 0, end: layerCount, hasEmbedding: true, hasOutput: true };
}

/** What the planner needs to know of the nodes. */
export function topologyOf(nodes: readonly PlaceableNode[]): Topology {
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

/**
 * The nodes as they would be without some of their stages: for another plan of a model that is loaded already. What a
 * stage takes is given back to its node's devices in proportion to their size.
 */
export function withoutStages<Node extends PlaceableNode>(
  nodes: readonly Node[],
  isGone: (stage: HeldStage) => boolean,
): readonly Node[] {
  return nodes.map((node) => {
    const freed = node.stages.filter(isGone).reduce((sum, stage) => sum + taken(stage), 0);
    const total = node.devices.reduce((sum, { memoryTotal }) => sum + memoryTotal, 0);
    return {
      ...node,
      stages: node.stages.filter((stage) => !isGone(stage)),
      devices: node.devices.map((device) => ({
        ...device,
        memoryFree: Math.min(device.memoryTotal, device.memoryFree + freed * (device.memoryTotal / Math.max(1, total))),
      })),
    };
  });
}

function taken({ memory }: HeldStage): number {
  return memory.weights + memory.kvCache + memory.compute + memory.output;
}
