import { formatByteSize } from "../config/byte-size.js";
import { ExoError } from "../core/errors.js";
import type { ModelCost } from "./cost.js";
import { explain, nodeLabel } from "./explain.js";
import { type Cuts, partition } from "./partition.js";
import type { Plan, UnusedNode } from "./plan.js";
import { plannedStages, type StageRange } from "./stages.js";
import { compareIds, type TopologyNode, usableMemory } from "./topology.js";

interface Candidate {
  readonly node: TopologyNode;
  /** Bytes. */
  readonly memory: number;
}

const AIM = "Every node given is used, with layers in proportion to its memory.";

/** Uses all nodes that can hold a layer, with contiguous ranges in proportion to their memory. */
export function placeByMemory(
  model: string,
  cost: ModelCost,
  nodes: readonly TopologyNode[],
  headId: string | null,
): Plan {
  const all = nodes.map((node) => ({ node, memory: usableMemory(node) }));
  const head = chooseHead(all, headId);
  const others = all.filter((candidate) => candidate !== head).sort((a, b) => compareIds(a.node.id, b.node.id));
  const { kept, unused, cuts } = fit(cost, head, others);
  if (cuts === null) throw doesNotFit(model, cost, [head, ...others]);
  const stages = plannedStages(cost, rangesOf(kept, cuts));
  const reasons = explain(AIM, stages, unused, nodes);
  return { model, layerCount: cost.layerCount, stages, head: head.node.id, unused, reasons };
}

function chooseHead(candidates: readonly Candidate[], headId: string | null): Candidate {
  const byMemory = candidates.toSorted((a, b) => b.memory - a.memory || compareIds(a.node.id, b.node.id));
  const head = headId === null ? byMemory[0] : candidates.find(({ node }) => node.id === headId);
  if (head === undefined) throw new ExoError("invalid_argument", `The head "${headId}" is not among the nodes.`);
  return head;
}

/** Leaves out nodes until the rest can share the layers; those that can hold the least go first. */
function fit(
  cost: ModelCost,
  head: Candidate,
  others: readonly Candidate[],
): { kept: readonly Candidate[]; unused: readonly UnusedNode[]; cuts: Cuts | null } {
  const smallest = Math.min(...Array.from({ length: cost.layerCount }, (_, i) => cost.bytes(i, i + 1, false)));
  const tooSmall = others.filter(({ memory }) => memory < smallest);
  const unused: UnusedNode[] = tooSmall.map(({ node, memory }) => ({
    nodeId: node.id,
    reason: `it offers ${formatByteSize(memory)}, and a single layer takes ${formatByteSize(smallest)}`,
  }));
  let kept = [head, ...others.filter((candidate) => !tooSmall.includes(candidate))];
  for (;;) {
    const cuts = partition(
      cost,
      kept.map(({ memory }) => memory),
    );
    const least = leastMemory(kept.slice(1));
    if (cuts !== null || least === null) return { kept, unused, cuts };
    const reason =
      kept.length > cost.layerCount
        ? `the model has only ${cost.layerCount} layers`
        : "its share fits better elsewhere";
    unused.push({ nodeId: least.node.id, reason });
    kept = kept.filter((candidate) => candidate !== least);
  }
}

function leastMemory(candidates: readonly Candidate[]): Candidate | null {
  return candidates.toSorted((a, b) => a.memory - b.memory || compareIds(a.node.id, b.node.id))[0] ?? null;
}

function rangesOf(kept: readonly Candidate[], cuts: Cuts): readonly StageRange[] {
  return kept.map(({ node }, index) => ({ nodeId: node.id, begin: cuts[index - 1] ?? 0, end: cuts[index] ?? 0 }));
}

function doesNotFit(model: string, cost: ModelCost, candidates: readonly Candidate[]): ExoError {
  const nodes = candidates.map(({ node }) => node);
  const whole = cost.bytes(0, cost.layerCount, true);
  const extra = cost.bytes(0, 1, false) - cost.layerBytes(0, 1);
  const needed = whole + extra * (candidates.length - 1);
  const headNeeds = cost.bytes(0, 1, true);
  const offers = candidates.map(({ node, memory }) => `${nodeLabel(nodes, node.id)} ${formatByteSize(memory)}`);
  const total = candidates.reduce((sum, { memory }) => sum + memory, 0);
  return new ExoError(
    "out_of_memory",
    `${model} does not fit: it needs ${formatByteSize(needed)} with weights, KV cache and compute buffers ` +
      `(at least ${formatByteSize(headNeeds)} of it on the head, ${nodeLabel(nodes, nodes[0]?.id ?? "")}), and the nodes ` +
      `offer ${formatByteSize(total)}: ${offers.join(", ")}. Add a node, lower --ctx or --slots, or take a smaller quantisation.`,
  );
}
