import type { WireType } from "../../config/config.js";
import type { LayerCuts } from "../../model/layer-cuts.js";
import type { ModelCost } from "../cost.js";
import { earliestBegins, headRanges } from "../memory-pools.js";
import { isUsableSpeed } from "../pass-time.js";
import type { LinkSpeed, Speeds } from "../speeds.js";
import type { TopologyNode } from "../topology.js";
import { FRAME_BYTES, HOP_SECONDS, type RingLink, type RingNode, type RingProblem, ROW_BYTES } from "./ring-problem.js";

export interface ProblemSource {
  readonly cost: ModelCost;
  readonly cuts: LayerCuts;
  /** By id. Those whose speed is not known are left out. */
  readonly nodes: readonly TopologyNode[];
  readonly speeds: Speeds;
  readonly wireType: WireType;
  readonly cachedTokens: number;
  readonly requestRows: number;
  readonly minStages: number;
  /** Node id of the head; `null`: any. */
  readonly head: string | null;
}

/** Of one number between nodes. */
export const WIRE_BYTES: Readonly<Record<WireType, number>> = { f32: 4, f16: 2, q8_0: 34 / 32 };

/** A way of which nobody knows how long it takes: a plain local network's. */
export const UNMEASURED_LINK: RingLink = { seconds: 0.5e-3, bytesPerSecond: 100e6 };

const PRESUMED_LINK: RingLink = { ...UNMEASURED_LINK, seconds: UNMEASURED_LINK.seconds + HOP_SECONDS };

export function makeProblem(source: ProblemSource): RingProblem {
  const { cost, cuts, speeds, wireType, cachedTokens, requestRows, minStages, head } = source;
  const nodes = measuredNodes(source);
  const wireBytes = WIRE_BYTES[wireType];
  const nowhere = new Array<boolean>(cost.layerCount + 1).fill(false);
  const problemNodes = nodes.map(({ node, speed }): RingNode => {
    const canHead = head === null || head === node.id ? headRanges(node, cost) : nowhere;
    return { id: node.id, speed, earliest: earliestBegins(node, cost), canHead };
  });
  return {
    layerCount: cost.layerCount,
    nodes: problemNodes,
    links: nodes.map((from) => nodes.map((to) => linkBetween(speeds.links, from.node.id, to.node.id))),
    mayBegin: cuts.allowed,
    rowBytes: cuts.rowElements.map((elements) => elements * wireBytes),
    cachedTokens,
    requestRows,
    minStages,
  };
}

function measuredNodes({ nodes, speeds, cost }: ProblemSource) {
  return nodes.flatMap((node) => {
    const speed = speeds.nodes.get(node.id);
    return speed !== undefined && isUsableSpeed(speed, cost.layerCount) ? [{ node, speed }] : [];
  });
}

/** As it was measured, else as its other direction was. */
function linkBetween(links: readonly LinkSpeed[], from: string, to: string): RingLink {
  return knownLink(links, from, to) ?? knownLink(links, to, from) ?? PRESUMED_LINK;
}

export function knownLink(links: readonly LinkSpeed[], from: string, to: string): LinkSpeed | null {
  return links.find((link) => link.from === from && link.to === to && isUsable(link)) ?? null;
}

function isUsable({ seconds, bytesPerSecond }: LinkSpeed): boolean {
  return Number.isFinite(seconds) && seconds >= 0 && bytesPerSecond > 0;
}

/** One row of so many bytes over a link, beside what the hop costs otherwise. */
export function frameSeconds({ seconds, bytesPerSecond }: RingLink, rowBytes: number): number {
  return seconds + (FRAME_BYTES + ROW_BYTES + rowBytes) / bytesPerSecond;
}
