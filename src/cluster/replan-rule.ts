import { modelCost } from "../planning/cost.js";
import {
  RE_PLAN_HORIZON,
  reloadSeconds,
  type SupplySpeed,
  type WantedRange,
  worthRePlanning,
} from "../planning/re-plan.js";
import type { ModelRequest } from "./model-request.js";
import type { PlaceableModel } from "./model-source.js";
import type { NodeRecord } from "./node-record.js";
import { memoryNeeds } from "./place.js";
import { planRate } from "./place-request.js";
import type { Placement } from "./placed-model.js";

/** A ring that works, and how it would be placed now. */
export interface ReplanQuestion {
  readonly model: PlaceableModel;
  readonly request: ModelRequest;
  readonly now: Placement;
  readonly next: Placement;
  /** Part of the speed that is to be gained at least. */
  readonly leastGain: number;
  /** What the nodes say of themselves. */
  readonly nodes: readonly NodeRecord[];
}

/** What is not known of a node is taken to be slow: a ring that works is not taken down in hope. Bytes per second. */
const LEAST_FETCH_SPEED = 10e6;
const LOAD_SPEED = 500e6;

/** Why the other placement is worth loading, in a sentence; `null`: it is not. */
export function worthReplacing(question: ReplanQuestion): string | null {
  const { request, now, next } = question;
  const [before, after] = [now.ring.contextSize, next.ring.contextSize];
  if (after > before) return `The ring changes: its context can be ${after} tokens instead of ${before}.`;
  if (after < before) return null;
  const [slow, fast] = [planRate(now.plan), planRate(next.plan)];
  if (slow !== null && fast !== null && now.plan.strategy === next.plan.strategy)
    return worthItsLoad(question, slow, fast);
  const more = next.plan.stages.length - now.plan.stages.length;
  // Who deals layers out by memory wants every node used.
  if (request.strategy !== "memory-weighted" || more <= 0) return null;
  return `The ring changes: ${more === 1 ? "a node has come" : `${more} nodes have come`} to take a share of the layers.`;
}

function worthItsLoad(question: ReplanQuestion, slow: number, fast: number): string | null {
  const { model, now, next, nodes, leastGain } = question;
  const { contextSize, ...ring } = next.ring;
  const seconds = reloadSeconds({
    cost: modelCost(model.info, memoryNeeds(ring, contextSize)),
    wanted: next.plan.stages,
    supply: supplyOf(nodes, model, now.plan.stages),
    isKept: (wanted) => now.plan.stages.some((stage) => isSameRange(stage, wanted)),
    // Only a ring that nobody uses at the moment is placed anew.
    liveTokens: 0,
    prefillTokensPerSecond: 1,
  });
  const { worthIt, reason } = worthRePlanning({
    now: slow,
    next: fast,
    reloadSeconds: seconds,
    horizonSeconds: RE_PLAN_HORIZON,
    leastGain,
  });
  return worthIt ? reason : null;
}

/** Whether a stage is the same as one that is loaded. */
export function isSameRange(a: WantedRange, b: WantedRange): boolean {
  return a.nodeId === b.nodeId && a.layerBegin === b.layerBegin && a.layerEnd === b.layerEnd;
}

/**
 * How quickly each node would have weights of the model.
 *
 * @param held ranges that nodes have loaded, and so on their disks
 */
export function supplyOf(
  nodes: readonly NodeRecord[],
  model: Pick<PlaceableModel, "spec">,
  held: readonly WantedRange[],
): ReadonlyMap<string, SupplySpeed> {
  return new Map(
    nodes.map((node) => {
      const here = held.filter(({ nodeId }) => nodeId === node.id);
      return [node.id, supplyOfNode(node, model, here)];
    }),
  );
}

/** Weights come from the other nodes at the speed of this one's best link. */
function supplyOfNode(
  { links, models }: NodeRecord,
  model: Pick<PlaceableModel, "spec">,
  held: readonly WantedRange[],
): SupplySpeed {
  const whole = models.some(({ spec, complete }) => complete && spec === model.spec);
  return {
    fetchBytesPerSecond: Math.max(LEAST_FETCH_SPEED, ...links.map(({ bytesPerSecond }) => bytesPerSecond)),
    loadBytesPerSecond: LOAD_SPEED,
    onDisk: (layer) => whole || held.some(({ layerBegin, layerEnd }) => layerBegin <= layer && layer < layerEnd),
  };
}
