import type { LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import type { GgufInfo } from "../model/gguf-info.js";
import type { MemoryNeeds } from "../model/memory-estimate.js";
import { type ModelCost, modelCost } from "./cost.js";
import { placeByHand } from "./manual-placement.js";
import { placeByMemory } from "./memory-placement.js";
import type { Plan } from "./plan.js";
import type { Topology } from "./topology.js";

/** What is to be placed, on what. */
export interface PlacementRequest {
  /** Id of the model. */
  readonly model: string;
  readonly info: GgufInfo;
  readonly topology: Topology;
  readonly needs: MemoryNeeds;
  /** Node id of the head; absent: the node with most memory. By hand the head is the node that holds layer 0. */
  readonly head?: string;
  /** Placement by hand. */
  readonly layers?: readonly LayerAssignment[] | null;
}

/**
 * Which node gets which layers. The same request gives the same plan on every node, in whatever order the nodes are
 * listed. `out_of_memory` when they cannot hold the model, `invalid_argument` when the request cannot be meant.
 */
export function placeModel(request: PlacementRequest): Plan {
  const { nodes } = request.topology;
  if (nodes.length === 0) throw new ExoError("invalid_argument", "There is no node to place the model on.");
  const cost: ModelCost = modelCost(request.info, request.needs);
  return request.layers === undefined || request.layers === null
    ? placeByMemory(request.model, cost, nodes, request.head ?? null)
    : placeByHand(request.model, cost, nodes, request.layers);
}
