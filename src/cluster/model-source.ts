import type { ModelPart } from "../model/memory-estimate.js";
import type { ModelHeader, ResolveOptions } from "../model/resolved-model.js";

/** What placing a model takes: its header and what is said of it; the weights may be elsewhere still. */
export type PlaceableModel = Pick<ModelHeader, "id" | "spec" | "bytes" | "hash" | "info" | "defaults">;

/** Where a node has models from. */
export interface ModelSource {
  /** What planning needs, fetched if need be. */
  header(spec: string, options: ResolveOptions): Promise<PlaceableModel>;
  /** Brings this part at least to this machine. */
  resolvePart(spec: string, part: ModelPart, options: ResolveOptions): Promise<Pick<ModelHeader, "path">>;
}
