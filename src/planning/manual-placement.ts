import { formatByteSize } from "../config/byte-size.js";
import { formatLayerAssignments, type LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import { totalBytes } from "../model/memory-estimate.js";
import type { ModelCost } from "./cost.js";
import { explain, nodeLabel } from "./explain.js";
import type { Plan, PlannedStage } from "./plan.js";
import { plannedStages, type StageRange } from "./stages.js";
import { type TopologyNode, usableMemory } from "./topology.js";

const AIM = "The layers are placed as given by hand.";

/** Checks a placement made by hand: known nodes, every layer exactly once, every stage within its node's memory. */
export function placeByHand(
  model: string,
  cost: ModelCost,
  nodes: readonly TopologyNode[],
  assignments: readonly LayerAssignment[],
): Plan {
  const ordered = assignments.toSorted((a, b) => a.begin - b.begin);
  checkCover(ordered, cost.layerCount);
  const stages = plannedStages(cost, resolveNodes(ordered, nodes));
  for (const stage of stages) checkMemory(stage, nodes);
  const used = new Set(stages.map(({ nodeId }) => nodeId));
  const unused = nodes
    .filter(({ id }) => !used.has(id))
    .map(({ id }) => ({ nodeId: id, reason: "the placement does not name it" }));
  const reasons = explain(AIM, stages, unused, nodes);
  return { model, layerCount: cost.layerCount, stages, head: stages[0]?.nodeId ?? "", unused, reasons };
}

function refuse(assignments: readonly LayerAssignment[], what: string): ExoError {
  const message = `The placement ${formatLayerAssignments(assignments)} cannot be used: ${what}.`;
  return new ExoError("invalid_argument", message, { param: "layers" });
}

function checkCover(ordered: readonly LayerAssignment[], layerCount: number): void {
  let expected = 0;
  for (const { begin, end } of ordered) {
    if (begin > expected) throw refuse(ordered, `layers ${expected}-${begin} are on no node`);
    if (begin < expected) throw refuse(ordered, `layers ${begin}-${Math.min(expected, end)} are on two nodes`);
    expected = end;
  }
  if (expected < layerCount) throw refuse(ordered, `layers ${expected}-${layerCount} are on no node`);
  if (expected > layerCount)
    throw refuse(ordered, `the model has ${layerCount} layers, so the last range ends at ${layerCount}`);
}

function resolveNodes(ordered: readonly LayerAssignment[], nodes: readonly TopologyNode[]): readonly StageRange[] {
  const ranges: StageRange[] = [];
  for (const { node: wanted, begin, end } of ordered) {
    const found = nodes.filter(({ id, name }) => id === wanted || name === wanted);
    const [node] = found;
    if (node === undefined) {
      throw refuse(ordered, `there is no node "${wanted}"; the nodes are ${nodes.map(({ name }) => name).join(", ")}`);
    }
    if (found.length > 1) throw refuse(ordered, `several nodes are named "${wanted}"; give each a --name of its own`);
    if (ranges.some(({ nodeId }) => nodeId === node.id)) throw refuse(ordered, `node "${wanted}" is named twice`);
    ranges.push({ nodeId: node.id, begin, end });
  }
  return ranges;
}

function checkMemory(stage: PlannedStage, nodes: readonly TopologyNode[]): void {
  const node = nodes.find(({ id }) => id === stage.nodeId);
  const available = node === undefined ? 0 : usableMemory(node);
  const needed = totalBytes(stage.memory);
  if (needed <= available) return;
  throw new ExoError(
    "out_of_memory",
    `Layers ${stage.layerBegin}-${stage.layerEnd} need ${formatByteSize(needed)} on ${nodeLabel(nodes, stage.nodeId)}, ` +
      `which offers ${formatByteSize(available)}. Give it fewer layers, or lower --ctx or --slots.`,
    { param: "layers" },
  );
}
