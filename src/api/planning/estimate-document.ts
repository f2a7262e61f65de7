import { totalBytes } from "../../model/memory-estimate.js";
import type { Estimate } from "../../planning/estimate.js";

/** What `POST /cluster/estimate` answers, in the API's wire names. */
export function estimateDocument(estimate: Estimate) {
  const { memory, needs, network, plan } = estimate;
  return {
    model: estimate.model,
    parameters: estimate.parameterCount,
    quantisation: estimate.quantisation,
    bits_per_weight: estimate.bitsPerWeight,
    context_size: needs.contextSize,
    context_trained: estimate.contextTrained,
    slots: needs.slots,
    kv: needs.kvType,
    kv_v: needs.kvTypeV,
    memory: {
      weights: memory.weights,
      kv_cache: memory.kvCache,
      compute: memory.compute,
      total: totalBytes(memory),
      overhead_per_node: estimate.overhead,
      kv_cache_per_token: estimate.cacheBytesPerToken,
    },
    fit: estimate.fit,
    largest_context: estimate.largestContext,
    nodes: estimate.nodes.map((node) => ({
      node_id: node.nodeId,
      node_name: node.name,
      offered: node.offers,
      holds_all: node.holdsAll,
      most_layers: node.mostLayers,
      largest_context: node.largestContext,
    })),
    stages: (plan?.stages ?? []).map((stage) => ({
      node_id: stage.nodeId,
      layer_begin: stage.layerBegin,
      layer_end: stage.layerEnd,
      memory: { weights: stage.memory.weights, kv_cache: stage.memory.kvCache, compute: stage.memory.compute },
    })),
    quantisations: estimate.quantisations.map(({ quantisation, bytes, fit }) => ({ quantisation, bytes, fit })),
    network: network && {
      bytes_per_hop: network.bytesPerHop,
      hops: network.hops,
      seconds_per_token: network.secondsPerToken,
    },
    advice: [...estimate.advice],
  };
}

export type EstimateDocument = ReturnType<typeof estimateDocument>;
