import type { LayerAssignment } from "../config/layer-assignment.js";
import type { WantedRange } from "./re-plan.js";

/** What is left of a ring. */
export interface BrokenRing {
  readonly layerCount: number;
  /** Ranges that nodes have loaded. They may overlap, and a node may have several. */
  readonly kept: readonly WantedRange[];
  /** Ids of all nodes that may take part. */
  readonly nodes: readonly string[];
}

/** More than this are not judged: each is a plan. */
const MOST_CANDIDATES = 64;

/**
 * Placements in which what is loaded stays where it is, and each gap goes whole to a node that has none, or to a
 * neighbour of the gap. Each covers every layer once, and no node comes twice. At most 64, the same on every node.
 */
export function healCandidates(ring: BrokenRing): readonly (readonly LayerAssignment[])[] {
  const usable = ring.kept
    .filter(({ nodeId, layerBegin, layerEnd }) => layerBegin < layerEnd && ring.nodes.includes(nodeId))
    .toSorted((a, b) => a.layerBegin - b.layerBegin || b.layerEnd - a.layerEnd || (a.nodeId < b.nodeId ? -1 : 1));
  if (usable.length === 0) return [];
  const found: (readonly LayerAssignment[])[] = [];
  goOn({ ...ring, kept: usable, nodes: ring.nodes.toSorted() }, [], found);
  return found;
}

function goOn(ring: BrokenRing, stages: readonly LayerAssignment[], found: (readonly LayerAssignment[])[]): void {
  const at = stages.at(-1)?.end ?? 0;
  if (found.length >= MOST_CANDIDATES) return;
  if (at === ring.layerCount) {
    found.push(stages);
    return;
  }
  for (const next of nextStages(ring, stages, at)) goOn(ring, next, found);
}

/** Every way to go on from a layer: with a range that is loaded, or over the gap before the next one. */
function nextStages(
  { kept, nodes, layerCount }: BrokenRing,
  stages: readonly LayerAssignment[],
  at: number,
): readonly (readonly LayerAssignment[])[] {
  const free = (node: string): boolean => !stages.some((stage) => stage.node === node);
  const here = kept.filter(({ nodeId, layerBegin }) => layerBegin === at && free(nodeId));
  if (here.length > 0) {
    return here.map(({ nodeId, layerEnd }) => [...stages, { node: nodeId, begin: at, end: layerEnd }]);
  }
  const after = kept.filter(({ nodeId, layerBegin }) => layerBegin > at && free(nodeId));
  const end = Math.min(layerCount, ...after.map(({ layerBegin }) => layerBegin));
  const followers = after.filter(({ layerBegin }) => layerBegin === end);
  const idle = nodes.filter((node) => free(node) && !after.some(({ nodeId }) => nodeId === node));
  const last = stages.at(-1);
  return [
    ...idle.map((node) => [...stages, { node, begin: at, end }]),
    ...(last === undefined ? [] : [[...stages.slice(0, -1), { ...last, end }]]),
    ...followers.map(({ nodeId, layerEnd }) => [...stages, { node: nodeId, begin: at, end: layerEnd }]),
  ];
}
