import { ExoError } from "../core/errors.js";
import type { GgufInfo } from "../model/gguf-info.js";
import { place } from "./place.js";
import type { Placement } from "./placed-model.js";
import type { PlaceQuestion } from "./ring-planner.js";

/** What a node holds beside its stage when it is the head. */
export interface BesideHead {
  readonly nodeId: string;
  /** A whole model, or `null`. */
  readonly info: GgufInfo | null;
}

/** Places a model as it was asked for. Throws as `placeModel` does. */
export function placeRequest(question: PlaceQuestion, beside: BesideHead): Placement {
  const { head, preferredHead, layers } = question.request;
  if (head !== null || layers !== null || preferredHead === null) return placeWith(question, head, beside);
  try {
    return placeWith(question, preferredHead, beside);
  } catch (thrown) {
    // It may be too small to be the head, and large enough for a stage.
    if (ExoError.from(thrown).code !== "out_of_memory" || question.nodes.length === 1) throw thrown;
    return placeWith(question, null, beside);
  }
}

function placeWith({ model, nodes, request }: PlaceQuestion, head: string | null, beside: BesideHead): Placement {
  const { ring, contextSize, layers } = request;
  return place({
    model,
    nodes,
    head,
    ring,
    contextSize,
    layers,
    besideHead: head === beside.nodeId ? beside.info : null,
  });
}
