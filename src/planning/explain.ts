import { formatByteSize } from "../config/byte-size.js";
import { totalBytes } from "../model/memory-estimate.js";
import type { PlannedStage, UnusedNode } from "./plan.js";
import { type TopologyNode, usableMemory } from "./topology.js";

/** A node as people know it. */
export function nodeLabel(nodes: readonly TopologyNode[], nodeId: string): string {
  const node = nodes.find(({ id }) => id === nodeId);
  if (node === undefined) return nodeId;
  return nodes.filter(({ name }) => name === node.name).length === 1 ? node.name : `${node.name} (${node.id})`;
}

function explainStage(stage: PlannedStage, index: number, nodes: readonly TopologyNode[]): string {
  const node = nodes.find(({ id }) => id === stage.nodeId);
  const { weights, kvCache, compute } = stage.memory;
  const ends = stage.hasEmbedding ? ", the embedding and the output head" : "";
  const role = index === 0 ? "head" : `stage ${index}`;
  return (
    `${nodeLabel(nodes, stage.nodeId)} (${role}) holds layers ${stage.layerBegin}-${stage.layerEnd}${ends}: ` +
    `${formatByteSize(totalBytes(stage.memory))} of ${formatByteSize(node === undefined ? 0 : usableMemory(node))} ` +
    `(weights ${formatByteSize(weights)}, KV cache ${formatByteSize(kvCache)}, compute ${formatByteSize(compute)}).`
  );
}

/** A plan in sentences: what it aimed for, then every stage, then every node that is not used. */
export function explain(
  aim: string,
  stages: readonly PlannedStage[],
  unused: readonly UnusedNode[],
  nodes: readonly TopologyNode[],
): readonly string[] {
  return [
    aim,
    ...stages.map((stage, index) => explainStage(stage, index, nodes)),
    ...unused.map(({ nodeId, reason }) => `${nodeLabel(nodes, nodeId)} is not used: ${reason}.`),
  ];
}
