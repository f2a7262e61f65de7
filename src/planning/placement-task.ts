import type { Strategy, WireType } from "../config/config.js";
import type { LayerAssignment } from "../config/layer-assignment.js";
import type { GgufInfo } from "../model/gguf-info.js";
import type { LayerCuts } from "../model/layer-cuts.js";
import type { MemoryNeeds } from "../model/memory-estimate.js";
import { type ModelCost, modelCost } from "./cost.js";
import type { Speeds } from "./speeds.js";
import { compareIds, type Topology, type TopologyNode } from "./topology.js";

/** What is to be placed, on what. */
export interface PlacementRequest {
  /** Id of the model. */
  readonly model: string;
  readonly info: GgufInfo;
  readonly topology: Topology;
  readonly needs: MemoryNeeds;
  /** Default `latency`. */
  readonly strategy?: Strategy;
  /** What was measured of this model here; `null` or absent: nothing. */
  readonly speeds?: Speeds | null;
  /** Node id of the head; absent: the planner chooses. By hand the head is the node that holds layer 0. */
  readonly head?: string | null;
  /** Placement by hand. */
  readonly layers?: readonly LayerAssignment[] | null;
  /** Nodes to use at least, as far as they fit. Default 1. */
  readonly minNodes?: number;
  /** Of the hidden states between nodes. Default f32. */
  readonly wireType?: WireType;
  /** Bytes that the head holds beside its stage. Default 0. */
  readonly besideHead?: number;
}

/** A request with nothing left open, and what follows from it. */
export interface PlacementTask {
  readonly model: string;
  readonly cost: ModelCost;
  readonly cuts: LayerCuts;
  readonly needs: MemoryNeeds;
  /** By id. */
  readonly nodes: readonly TopologyNode[];
  readonly strategy: Strategy;
  readonly speeds: Speeds | null;
  readonly head: string | null;
  readonly minNodes: number;
  readonly wireType: WireType;
  /** Tokens of a text that is read whole, as models for embeddings read theirs; `null`: the model goes on with texts. */
  readonly textTokens: number | null;
}

/** Tokens of the prompt, or of the text, whose time is predicted. */
export const PREDICTED_PROMPT = 512;

export function placementTask(request: PlacementRequest): PlacementTask {
  const { model, info, needs, topology } = request;
  return {
    model,
    cost: modelCost(info, needs, request.besideHead ?? 0),
    cuts: info.cuts,
    needs,
    nodes: topology.nodes.toSorted((a, b) => compareIds(a.id, b.id)),
    strategy: request.strategy ?? "latency",
    speeds: request.speeds ?? null,
    head: request.head ?? null,
    minNodes: request.minNodes ?? 1,
    wireType: request.wireType ?? "f32",
    textTokens: info.texts.wholeTexts ? Math.min(PREDICTED_PROMPT, needs.contextSize) : null,
  };
}
