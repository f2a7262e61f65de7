import type { LayerAssignment } from "../config/layer-assignment.js";
import type { GgufInfo } from "../model/gguf-info.js";
import type { MemoryNeeds } from "../model/memory-estimate.js";
import type { Topology } from "./topology.js";

/** What is to be placed, on what. */
export interface PlacementRequest {
  /** Id of the model. */
  readonly model: string;
  readonly info: GgufInfo;
  readonly topology: Topology;
  readonly needs: MemoryNeeds;
  /** Node id of the head; absent: the node with most memory, or the first named by hand. */
  readonly head?: string;
  /** Placement by hand. */
  readonly layers?: readonly LayerAssignment[];
}
