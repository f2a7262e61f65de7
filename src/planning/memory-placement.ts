import { formatByteSize } from "../config/byte-size.js";
import { ExoError } from "../core/errors.js";
import { explainStages, nodeLabel } from "./explain.js";
import { predictStages } from "./measured-plan.js";
import { earliestBegins, headRanges } from "./memory-pools.js";
import { type Cuts, partition, type StageRoom } from "./partition.js";
import type { PlacementTask } from "./placement-task.js";
import type { Plan, UnusedNode } from "./plan.js";
import { plannedStages, type StageRange } from "./stages.js";
import { compareIds, type TopologyNode, usableMemory } from "./topology.js";

interface Candidate extends StageRoom {
  readonly node: TopologyNode;
}

/** Uses all nodes that can hold a layer, with contiguous ranges in proportion to their memory. */
export function placeByMemory(task: PlacementTask, aim: string): Plan {
  const { model, cost, nodes } = task;
  const { kept, unused, cuts } = firstThatFits(task, candidatesOf(task));
  const stages = plannedStages(cost, rangesOf(kept, cuts));
  const predicted = predictStages(task, stages);
  return {
    model,
    layerCount: cost.layerCount,
    stages,
    head: stages[0]?.nodeId ?? "",
    unused,
    strategy: "memory-weighted",
    predicted,
    reasons: explainStages({ aim: [aim], stages, unused, nodes, predicted, slots: task.needs.slots }),
  };
}

function candidatesOf({ nodes, cost }: PlacementTask): readonly Candidate[] {
  return nodes.map((node) => ({
    node,
    memory: usableMemory(node),
    earliest: earliestBegins(node, cost),
    canHead: headRanges(node, cost),
  }));
}

interface Fit {
  readonly kept: readonly Candidate[];
  readonly unused: readonly UnusedNode[];
  readonly cuts: Cuts;
}

/** With the head that was asked for, else with the largest node that can be it. */
function firstThatFits(task: PlacementTask, all: readonly Candidate[]): Fit {
  const byMemory = all.toSorted((a, b) => b.memory - a.memory || compareIds(a.node.id, b.node.id));
  const heads = task.head === null ? byMemory : byMemory.filter(({ node }) => node.id === task.head);
  for (const head of heads) {
    const found = fit(
      task,
      head,
      all.filter((candidate) => candidate !== head),
    );
    if (found !== null) return found;
  }
  const [head] = heads;
  throw doesNotFit(task, head === undefined ? all : [head, ...all.filter((candidate) => candidate !== head)]);
}

/** Leaves out nodes until the rest can share the layers; those that can hold the least go first. */
function fit(
  { cost, cuts: { allowed, reason } }: PlacementTask,
  head: Candidate,
  others: readonly Candidate[],
): Fit | null {
  const smallest = Math.min(...Array.from({ length: cost.layerCount }, (_, i) => cost.bytes(i, i + 1, false)));
  const tooSmall = others.filter(({ earliest }) => earliest.every((begin, end) => begin >= end));
  const unused: UnusedNode[] = tooSmall.map(({ node, memory }) => ({
    nodeId: node.id,
    reason: `it offers ${formatByteSize(memory)}, and a single layer takes ${formatByteSize(smallest)}`,
  }));
  const places = allowed.filter((may) => may).length;
  let kept = [head, ...others.filter((candidate) => !tooSmall.includes(candidate))];
  for (;;) {
    const cuts = partition(cost, allowed, kept);
    if (cuts !== null) return { kept, unused, cuts };
    const least = leastMemory(kept.slice(1));
    if (least === null) return null;
    unused.push({ nodeId: least.node.id, reason: whyLeftOut(kept.length, cost.layerCount, places, reason) });
    kept = kept.filter((candidate) => candidate !== least);
  }
}

function whyLeftOut(nodes: number, layers: number, places: number, uncut: string | null): string {
  if (nodes > places && uncut !== null) {
    return `the model can be cut into ${places} ${places === 1 ? "part" : "parts"} at most: ${uncut}`;
  }
  return nodes > layers ? `the model has only ${layers} layers` : "its share fits better elsewhere";
}

function leastMemory(candidates: readonly Candidate[]): Candidate | null {
  return candidates.toSorted((a, b) => a.memory - b.memory || compareIds(a.node.id, b.node.id))[0] ?? null;
}

function rangesOf(kept: readonly Candidate[], cuts: Cuts): readonly StageRange[] {
  return kept.map(({ node }, index) => ({ nodeId: node.id, begin: cuts[index - 1] ?? 0, end: cuts[index] ?? 0 }));
}

function doesNotFit({ model, cost, cuts }: PlacementTask, candidates: readonly Candidate[]): ExoError {
  const nodes = candidates.map(({ node }) => node);
  const whole = cost.bytes(0, cost.layerCount, true);
  const extra = cost.bytes(0, 1, false) - cost.layerBytes(0, 1);
  const needed = whole + extra * (candidates.length - 1);
  const headNeeds = cost.bytes(0, 1, true);
  const offers = candidates.map(({ node, memory }) => `${nodeLabel(nodes, node.id)} ${formatByteSize(memory)}`);
  const total = candidates.reduce((sum, { memory }) => sum + memory, 0);
  const uncut = cuts.reason === null ? "" : ` It cannot be cut between any two layers: ${cuts.reason}.`;
  return new ExoError(
    "out_of_memory",
    `${model} does not fit: it needs ${formatByteSize(needed)} with weights, KV cache and compute buffers ` +
      `(at least ${formatByteSize(headNeeds)} of it on the head, ${nodeLabel(nodes, nodes[0]?.id ?? "")}), and the nodes ` +
      `offer ${formatByteSize(total)}: ${offers.join(", ")}.${uncut} Add a node, lower --ctx or --slots, or take a smaller quantisation.`,
  );
}
