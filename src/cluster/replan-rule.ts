import type { ModelRequest } from "./model-request.js";
import type { PlaceableModel } from "./model-source.js";
import type { Placement } from "./placed-model.js";

/** A ring that works, and how it would be placed now. */
export interface ReplanQuestion {
  readonly model: PlaceableModel;
  readonly request: ModelRequest;
  readonly now: Placement;
  readonly then: Placement;
}

/** Why the other placement is worth loading, in a sentence; `null`: it is not. */
export function worthReplacing({ request, now, then }: ReplanQuestion): string | null {
  const [before, after] = [now.ring.contextSize, then.ring.contextSize];
  if (after > before) return `The ring changes: its context can be ${after} tokens instead of ${before}.`;
  const more = then.plan.stages.length - now.plan.stages.length;
  // Who deals layers out by memory wants every node used.
  if (request.strategy !== "memory-weighted" || more <= 0 || after < before) return null;
  return `The ring changes: ${more === 1 ? "a node has come" : `${more} nodes have come`} to take a share of the layers.`;
}
