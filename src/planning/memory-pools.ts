import type { ModelCost } from "./cost.js";
import { memoryPools, type TopologyNode, usableMemory } from "./topology.js";

/** Whether a node can hold these layers, all its memory together and in each device that llama.cpp would deal them to. */
export function stageFits(node: TopologyNode, cost: ModelCost, begin: number, end: number, isHead: boolean): boolean {
  if (cost.bytes(begin, end, isHead) > usableMemory(node)) return false;
  const pools = memoryPools(node);
  return pools.length < 2 || poolsHold(pools, cost, begin, end, isHead);
}

/**
 * With several devices llama.cpp deals layers out in order, each device's share as large as its part of the free memory;
 * the output head counts as one layer more, after the last. Each device computes, so each has a compute buffer.
 * Source: `load_tensors` in llama-model.cpp.
 */
function poolsHold(pools: readonly number[], cost: ModelCost, begin: number, end: number, isHead: boolean): boolean {
  const total = pools.reduce((sum, bytes) => sum + bytes, 0);
  const { compute } = cost.memory(begin, end, isHead);
  const ends = cost.bytes(begin, end, isHead) - compute - cost.layerBytes(begin, end);
  const places = end - begin + 1;
  const taken = pools.map(() => compute);
  for (let layer = begin; layer <= end; layer++) {
    const pool = poolAt(pools, total, (layer - begin) / places);
    const bytes = layer === end ? ends : cost.layerBytes(layer, layer + 1);
    taken[pool] = (taken[pool] ?? 0) + bytes;
  }
  return taken.every((bytes, index) => bytes <= (pools[index] ?? 0));
}

function poolAt(pools: readonly number[], total: number, part: number): number {
  let upTo = 0;
  const index = pools.findIndex((bytes) => {
    upTo += bytes;
    return part * total < upTo;
  });
  return index < 0 ? pools.length - 1 : index;
}

/**
 * For each end of a range, the earliest layer at which it may begin so that it fits, as it does with every later one;
 * the end itself where not even one layer fits. Never falls, because a longer range takes more.
 */
export function earliestBegins(node: TopologyNode, cost: ModelCost): Int32Array {
  const earliest = new Int32Array(cost.layerCount + 1);
  const usable = usableMemory(node);
  const isOnePool = memoryPools(node).length < 2;
  let least = 0;
  for (let end = 1; end <= cost.layerCount; end++) {
    while (least < end && cost.bytes(least, end, false) > usable) least++;
    // Whole layers dealt to several devices may fit in one place and not a layer further on, so all of these are tried.
    if (!isOnePool) least = Math.max(least, firstThatAlwaysFits(node, cost, least, end));
    earliest[end] = least;
  }
  return earliest;
}

function firstThatAlwaysFits(node: TopologyNode, cost: ModelCost, least: number, end: number): number {
  let begin = end;
  while (begin > least && stageFits(node, cost, begin - 1, end, false)) begin--;
  return begin;
}

/** For each end, whether the node can be the head with the layers before it. */
export function headRanges(node: TopologyNode, cost: ModelCost): readonly boolean[] {
  const ends = Array.from({ length: cost.layerCount + 1 }, (_, end) => end);
  return ends.map((end) => end > 0 && stageFits(node, cost, 0, end, true));
}
