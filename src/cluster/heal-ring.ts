import { ExoError } from "../core/errors.js";
import { modelCost } from "../planning/cost.js";
import { healCandidates } from "../planning/heal-candidates.js";
import { HEAL_HORIZON, reloadSeconds, type WantedRange } from "../planning/re-plan.js";
import type { NodeRecord } from "./node-record.js";
import { memoryNeeds } from "./place.js";
import { planRate } from "./place-request.js";
import type { Placement } from "./placed-model.js";
import { isSameRange, supplyOf } from "./replan-rule.js";
import type { PlaceQuestion } from "./ring-planner.js";

/** A ring that broke, on the nodes that are left. */
export interface HealQuestion {
  /** With the context that the loaded stages have. */
  readonly question: PlaceQuestion;
  readonly kept: readonly WantedRange[];
  readonly place: (question: PlaceQuestion) => Placement;
}

interface Candidate {
  readonly placement: Placement;
  /** Until it answers. */
  readonly seconds: number;
  /** Made around what is loaded. */
  readonly around: boolean;
}

/** What of a model the nodes have loaded: stages of these rings, and stages of none. */
export function keptRanges(
  records: readonly NodeRecord[],
  spec: string,
  ringIds: ReadonlySet<string>,
  contextSize: number,
): readonly WantedRange[] {
  return records.flatMap(({ id: nodeId, stages, kept }) => [
    ...stages
      .filter(({ ringId }) => ringIds.has(ringId))
      .map(({ layerBegin, layerEnd }) => ({ nodeId, layerBegin, layerEnd })),
    ...kept
      .filter((stage) => stage.spec === spec && stage.contextSize === contextSize)
      .map(({ layerBegin, layerEnd }) => ({ nodeId, layerBegin, layerEnd })),
  ]);
}

/**
 * How a ring that broke is placed on the nodes that are left: what is loaded stays where it is, unless another placement
 * is so much quicker that it has made up for its load within a minute. `null`: nothing fits with this context.
 */
export function healRing({ question, kept, place }: HealQuestion): Placement | null {
  const { model, nodes, request } = question;
  const { layerCount } = model.info;
  const byHand = request.layers === null ? healCandidates({ layerCount, kept, nodes: nodes.map(({ id }) => id) }) : [];
  const candidateOf = (asked: PlaceQuestion, around: boolean): readonly Candidate[] => {
    const placement = placeIfItFits(asked, place);
    return placement === null ? [] : [{ placement, around, seconds: secondsUntilReady(question, kept, placement) }];
  };
  const candidates = [
    ...byHand.flatMap((layers) => candidateOf({ ...question, request: { ...request, layers } }, true)),
    ...candidateOf(question, false),
  ];
  const least = Math.min(request.minNodes, nodes.length);
  const wide = candidates.filter(({ placement: { plan } }) => plan.stages.length >= least);
  const best = (wide.length > 0 ? wide : candidates).reduce<Candidate | null>(
    (before, one) => (before === null || isBetter(one, before) ? one : before),
    null,
  );
  return best === null ? null : explained(best.placement, kept);
}

function placeIfItFits(question: PlaceQuestion, place: HealQuestion["place"]): Placement | null {
  try {
    return place(question);
  } catch (thrown) {
    const { code } = ExoError.from(thrown);
    // The model cannot be cut there, or the head would be another node.
    if (code === "out_of_memory" || code === "invalid_argument") return null;
    throw thrown;
  }
}

function secondsUntilReady(
  { model, nodes, request }: PlaceQuestion,
  kept: readonly WantedRange[],
  { plan, ring }: Placement,
): number {
  const { contextSize, ...settings } = ring;
  const asLoaded = contextSize === request.contextSize;
  return reloadSeconds({
    cost: modelCost(model.info, memoryNeeds(settings, contextSize)),
    wanted: plan.stages,
    supply: supplyOf(nodes, model, kept),
    isKept: (wanted) => asLoaded && kept.some((range) => isSameRange(range, wanted)),
    // Computed again whatever the placement.
    liveTokens: 0,
    prefillTokensPerSecond: 1,
  });
}

/** Tokens within the next minute; where nothing is measured, what is loaded stays, and then whichever answers first. */
function isBetter(one: Candidate, than: Candidate): boolean {
  const [rate, other] = [planRate(one.placement.plan), planRate(than.placement.plan)];
  if (rate === null || other === null || one.placement.plan.strategy !== than.placement.plan.strategy) {
    return one.around === than.around ? one.seconds < than.seconds : one.around;
  }
  return rate * (HEAL_HORIZON - one.seconds) > other * (HEAL_HORIZON - than.seconds);
}

function explained({ plan, ring }: Placement, kept: readonly WantedRange[]): Placement {
  const staying = plan.stages.filter((stage) => kept.some((range) => isSameRange(range, stage)));
  if (staying.length === 0) return { plan, ring };
  const layers = staying.map(({ layerBegin, layerEnd }) => `${layerBegin}-${layerEnd}`).join(", ");
  const told = `The ring is placed around what is loaded: layers ${layers} stay where they are.`;
  const reasons = plan.reasons.map((reason, index) => (index === 0 ? told : reason));
  return { plan: { ...plan, reasons: reasons.length > 0 ? reasons : [told] }, ring };
}
