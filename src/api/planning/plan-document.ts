import type { PlanAnswer } from "../../cluster/planner.js";
import { PREDICTED_PROMPT } from "../../planning/placement-task.js";
import { usableMemory } from "../../planning/topology.js";

/** What `POST /cluster/plan` answers, in the API's wire names. */
export function planDocument({ plan, ring, nodes }: PlanAnswer) {
  const nameOf = (id: string): string => nodes.find((node) => node.id === id)?.name ?? id;
  const offers = (id: string): number => {
    const node = nodes.find((one) => one.id === id);
    return node === undefined ? 0 : usableMemory(node);
  };
  return {
    model: plan.model,
    strategy: plan.strategy,
    layer_count: plan.layerCount,
    context_size: ring.contextSize,
    slots: ring.slots,
    head: plan.head,
    stages: plan.stages.map((stage, index) => ({
      node_id: stage.nodeId,
      node_name: nameOf(stage.nodeId),
      layer_begin: stage.layerBegin,
      layer_end: stage.layerEnd,
      has_output: stage.hasOutput,
      memory: {
        weights: stage.memory.weights,
        kv_cache: stage.memory.kvCache,
        compute: stage.memory.compute,
        offered: offers(stage.nodeId),
      },
      predicted: stageTimes(plan, index),
    })),
    unused: plan.unused.map(({ nodeId, reason }) => ({ node_id: nodeId, node_name: nameOf(nodeId), reason })),
    predicted: plan.predicted && {
      embeddings: plan.predicted.textTokens !== null,
      prompt_tokens: plan.predicted.textTokens ?? PREDICTED_PROMPT,
      ttft_seconds: plan.predicted.ttftSeconds,
      decode_tokens_per_second: plan.predicted.decodeTokensPerSecond,
      aggregate_tokens_per_second: plan.predicted.aggregateTokensPerSecond,
    },
    reasons: [...plan.reasons],
  };
}

export type PlanDocument = ReturnType<typeof planDocument>;

function stageTimes({ predicted }: PlanAnswer["plan"], index: number) {
  const times = predicted?.stages[index];
  return times === undefined ? null : { compute_seconds: times.computeSeconds, hop_seconds: times.hopSeconds };
}
