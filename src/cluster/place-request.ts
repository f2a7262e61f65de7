import { ExoError } from "../core/errors.js";
import type { GgufInfo } from "../model/gguf-info.js";
import type { Plan } from "../planning/plan.js";
import { place, placeCopies } from "./place.js";
import type { Placement } from "./placed-model.js";
import type { PlaceQuestion } from "./ring-planner.js";

/** What a node holds beside its stage when it is the head. */
export interface BesideHead {
  readonly nodeId: string;
  /** A whole model, or `null`. */
  readonly info: GgufInfo | null;
}

/** A preferred head is left for one that gives more tokens by this part: predictions are no better. */
const CLEARLY_BETTER = 1.1;

/** Places a model as it was asked for. Throws as `placeModel` does. */
export function placeRequest(question: PlaceQuestion, beside: BesideHead): Placement {
  const { head, preferredHead, layers } = question.request;
  if (head !== null || layers !== null || preferredHead === null) return placeWith(question, head, beside);
  const preferred = placeIfItFits(question, preferredHead, beside);
  if (question.nodes.length === 1 && preferred !== null) return preferred;
  const free = placeIfItFits(question, null, beside);
  // It may be too small to be the head, and large enough for a stage; if neither fits, it says why.
  if (preferred === null) return free ?? placeWith(question, preferredHead, beside);
  return free !== null && isClearlyBetter(free.plan, preferred.plan) ? free : preferred;
}

/** Ids of the nodes that each get a copy of the whole model, where that gives more than one ring; else none. */
export function copiesOf({ model, nodes, request, speeds }: PlaceQuestion): readonly string[] {
  const { ring, contextSize, strategy, minNodes } = request;
  const asked = {
    model,
    nodes,
    ring,
    contextSize,
    strategy,
    speeds,
    minNodes,
    layers: null,
    besideHead: null,
    head: null,
  };
  const { plans } = placeCopies(asked, place(asked).ring.contextSize);
  return plans.length < 2 ? [] : plans.map(({ head }) => head);
}

/** Tokens per second of what the strategy is about; `null`: not predicted. */
export function planRate({ strategy, predicted }: Plan): number | null {
  if (predicted === null) return null;
  return strategy === "throughput" ? predicted.aggregateTokensPerSecond : predicted.decodeTokensPerSecond;
}

function isClearlyBetter(plan: Plan, than: Plan): boolean {
  const [rate, other] = [planRate(plan), planRate(than)];
  return plan.strategy === than.strategy && rate !== null && other !== null && rate > other * CLEARLY_BETTER;
}

function placeIfItFits(question: PlaceQuestion, head: string | null, beside: BesideHead): Placement | null {
  try {
    return placeWith(question, head, beside);
  } catch (thrown) {
    if (ExoError.from(thrown).code === "out_of_memory") return null;
    throw thrown;
  }
}

function placeWith(
  { model, nodes, request, speeds }: PlaceQuestion,
  head: string | null,
  beside: BesideHead,
): Placement {
  const { ring, contextSize, layers, strategy, minNodes } = request;
  const asked = { model, nodes, ring, contextSize, layers, strategy, speeds, minNodes };
  if (head === beside.nodeId) return place({ ...asked, head, besideHead: beside.info });
  const placement = place({ ...asked, head, besideHead: null });
  // Where the plan chose the node that has it, it has to count after all.
  if (beside.info === null || placement.plan.head !== beside.nodeId) return placement;
  return place({ ...asked, head: beside.nodeId, besideHead: beside.info });
}
