import type { GgufInfo } from "../model/gguf-info.js";
import {
  type MemoryNeeds,
  type ModelPart,
  type StageMemory,
  stageMemory,
  totalBytes,
} from "../model/memory-estimate.js";

/** What parts of one model take on a node. Bytes. */
export interface ModelCost {
  readonly layerCount: number;
  /** Everything a stage of these layers takes. Half-open range; the head also holds embedding and output head. */
  memory(begin: number, end: number, isHead: boolean): StageMemory;
  /** The same, summed, and what the head holds beside its stage. */
  bytes(begin: number, end: number, isHead: boolean): number;
  /** What the head holds beside its stage. */
  readonly besideHead: number;
  /** Weights and KV cache of the layers alone: what is dealt out in proportion to memory. */
  layerBytes(begin: number, end: number): number;
}

/** @param besideHead bytes that the head holds beside its stage, such as a model that drafts */
export function modelCost(info: GgufInfo, needs: MemoryNeeds, besideHead = 0): ModelCost {
  const part = (begin: number, end: number, isHead: boolean): ModelPart => ({
    begin,
    end,
    hasEmbedding: isHead,
    hasOutput: isHead,
  });
  const memory = (begin: number, end: number, isHead: boolean): StageMemory =>
    stageMemory(info, part(begin, end, isHead), needs);
  const empty = memory(0, 0, false);
  const upTo = prefixSums(info.layerCount, (layer) => {
    const one = memory(layer, layer + 1, false);
    return one.weights - empty.weights + one.kvCache;
  });
  const layerBytes = (begin: number, end: number): number => (upTo[end] ?? 0) - (upTo[begin] ?? 0);
  // Only the layers' own bytes depend on the range, so a stage's total is a constant and two look-ups.
  const fixed = {
    head: fixedBytes(memory, layerBytes, true) + besideHead,
    other: fixedBytes(memory, layerBytes, false),
  };
  return {
    layerCount: info.layerCount,
    besideHead,
    memory,
    bytes: (begin, end, isHead) => (isHead ? fixed.head : fixed.other) + layerBytes(begin, end),
    layerBytes,
  };
}

function prefixSums(count: number, value: (index: number) => number): readonly number[] {
  const sums = [0];
  for (let index = 0; index < count; index++) sums.push((sums[index] ?? 0) + value(index));
  return sums;
}

function fixedBytes(
  memory: (begin: number, end: number, isHead: boolean) => StageMemory,
  layerBytes: (begin: number, end: number) => number,
  isHead: boolean,
): number {
  return totalBytes(memory(0, 1, isHead)) - layerBytes(0, 1);
}
