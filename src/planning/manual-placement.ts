import { formatByteSize } from "../config/byte-size.js";
import { formatLayerAssignments, type LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import { explainStages, nodeLabel } from "./explain.js";
import { predictStages } from "./measured-plan.js";
import { stageFits } from "./memory-pools.js";
import type { PlacementTask } from "./placement-task.js";
import type { Plan, PlannedStage } from "./plan.js";
import { plannedStages, type StageRange } from "./stages.js";
import { type TopologyNode, usableMemory } from "./topology.js";

const AIM = "The layers are placed as given by hand.";

/** Checks a placement made by hand: known nodes, every layer exactly once, cuts that the model allows, memory. */
export function placeByHand(task: PlacementTask, assignments: readonly LayerAssignment[]): Plan {
  const { model, cost, nodes, strategy } = task;
  const ordered = assignments.toSorted((a, b) => a.begin - b.begin);
  checkCover(ordered, cost.layerCount);
  checkCuts(ordered, task);
  const stages = plannedStages(cost, resolveNodes(ordered, nodes));
  for (const stage of stages) checkMemory(stage, task);
  const used = new Set(stages.map(({ nodeId }) => nodeId));
  const unused = nodes
    .filter(({ id }) => !used.has(id))
    .map(({ id }) => ({ nodeId: id, reason: "the placement does not name it" }));
  const predicted = predictStages(task, stages);
  return {
    model,
    layerCount: cost.layerCount,
    stages,
    head: stages[0]?.nodeId ?? "",
    unused,
    strategy,
    predicted,
    reasons: explainStages({ aim: [AIM], stages, unused, nodes, predicted, slots: task.needs.slots }),
  };
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

function checkCuts(ordered: readonly LayerAssignment[], { cuts, model }: PlacementTask): void {
  const wrong = ordered.find(({ begin }) => cuts.allowed[begin] !== true);
  if (wrong === undefined) return;
  throw refuse(
    ordered,
    `${model} cannot be cut before layer ${wrong.begin}, because ${cuts.reason ?? "it is one whole"}`,
  );
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

function checkMemory(stage: PlannedStage, { nodes, cost }: PlacementTask): void {
  const node = nodes.find(({ id }) => id === stage.nodeId);
  const { layerBegin, layerEnd, hasOutput } = stage;
  if (node !== undefined && stageFits(node, cost, layerBegin, layerEnd, hasOutput)) return;
  const available = node === undefined ? 0 : usableMemory(node);
  throw new ExoError(
    "out_of_memory",
    `Layers ${layerBegin}-${layerEnd} need ${formatByteSize(cost.bytes(layerBegin, layerEnd, hasOutput))} on ` +
      `${nodeLabel(nodes, stage.nodeId)}, which offers ${formatByteSize(available)}. Give it fewer layers, or lower --ctx or --slots.`,
    { param: "layers" },
  );
}
