import { ExoError } from "../core/errors.js";
import type { GgufInfo } from "../model/gguf-info.js";
import { place, plannedSpeed } from "./place.js";
import type { Placement } from "./placed-model.js";
import type { PlaceQuestion } from "./ring-planner.js";

/** What a node holds beside its stage when it is the head. */
export interface BesideHead {
  readonly nodeId: string;
  /** A whole model, or `null`. */
  readonly info: GgufInfo | null;
}

/** A node that was not asked for the model becomes its head where that is faster by more than this part. */
const CLEARLY_BETTER = 0.1;

/** Places a model as it was asked for. Throws as `placeModel` does. */
export function placeRequest(question: PlaceQuestion, beside: BesideHead): Placement {
  const { head, preferredHead, layers } = question.request;
  if (head !== null || layers !== null || preferredHead === null) return placeWith(question, head, beside);
  try {
    const preferred = placeWith(question, preferredHead, beside);
    const speed = plannedSpeed(preferred);
    if (speed === null || question.nodes.length === 1) return preferred;
    const free = placeWith(question, null, beside);
    return (plannedSpeed(free) ?? 0) > speed * (1 + CLEARLY_BETTER) ? free : preferred;
  } catch (thrown) {
    // It may be too small to be the head, and large enough for a stage.
    if (ExoError.from(thrown).code !== "out_of_memory" || question.nodes.length === 1) throw thrown;
    return placeWith(question, null, beside);
  }
}

function placeWith(
  { model, nodes, request, speeds }: PlaceQuestion,
  head: string | null,
  beside: BesideHead,
): Placement {
  const { ring, contextSize, layers, strategy, minNodes } = request;
  return place({
    model,
    nodes,
    head,
    ring,
    contextSize,
    layers,
    strategy,
    speeds,
    minNodes,
    besideHead: head === beside.nodeId ? beside.info : null,
  });
}
