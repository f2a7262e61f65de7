import type { KvType } from "../config/config.js";
import { computeBytes } from "./compute-buffer.js";
import type { GgufInfo } from "./gguf-info.js";
import type { LayerState } from "./layer-state.js";

/** Bytes on a node, by kind. */
export interface StageMemory {
  readonly weights: number;
  readonly kvCache: number;
  readonly compute: number;
}

/** What the caches and buffers must be large enough for. */
export interface MemoryNeeds {
  /** Tokens per slot. */
  readonly contextSize: number;
  readonly slots: number;
  /** Of the keys and of the values. */
  readonly kvType: KvType;
  readonly kvTypeV: KvType;
  /** Rows in one compute pass. */
  readonly ubatch: number;
  /** Without it the attention scores of every head are held at once. */
  readonly flashAttention: boolean;
}

/** A part of a model: half-open layer range `[begin, end)`, with or without the two ends. */
export interface ModelPart {
  readonly begin: number;
  readonly end: number;
  readonly hasEmbedding: boolean;
  readonly hasOutput: boolean;
}

/** ggml's bytes per element; the quantized ones pack 32 elements in a block. */
const KV_ELEMENT_BYTES: Readonly<Record<KvType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
};

/** llama.cpp rounds the cells of a KV cache up to this many. */
const KV_CELL_PADDING = 256;

export function weightBytes(info: GgufInfo, part: ModelPart): number {
  const layers = info.layerBytes.slice(part.begin, part.end).reduce((sum, bytes) => sum + bytes, 0);
  // A tied embedding serves both ends, so it is held where either of them is; where both are, perhaps in two forms.
  const embedding = part.hasEmbedding || (part.hasOutput && info.tiedEmbedding) ? info.embeddingBytes : 0;
  const copy = part.hasEmbedding && part.hasOutput ? info.tiedCopyBytes : 0;
  return layers + embedding + copy + info.sharedBytes + (part.hasOutput ? info.outputBytes : 0);
}

/** Sliding windows are counted as the whole context, for llama.cpp keeps that too where a prefix is to be reused. */
function layerCacheBytes(layer: LayerState, needs: MemoryNeeds): number {
  const cells = Math.ceil(needs.contextSize / KV_CELL_PADDING) * KV_CELL_PADDING;
  const perToken =
    layer.keyElements * KV_ELEMENT_BYTES[needs.kvType] + layer.valueElements * KV_ELEMENT_BYTES[needs.kvTypeV];
  return (cells * perToken + layer.fixedBytes) * needs.slots;
}

/** KV cache of the part's layers for every slot; recurrent layers count their fixed state. */
export function kvCacheBytes(info: GgufInfo, part: ModelPart, needs: MemoryNeeds): number {
  const layers = info.layerState.slice(part.begin, part.end);
  return Math.ceil(layers.reduce((sum, layer) => sum + layerCacheBytes(layer, needs), 0));
}

/** What a stage takes on its node. */
export function stageMemory(info: GgufInfo, part: ModelPart, needs: MemoryNeeds): StageMemory {
  return {
    weights: weightBytes(info, part),
    kvCache: kvCacheBytes(info, part, needs),
    compute: computeBytes(info, part, needs),
  };
}

export function totalBytes(memory: StageMemory): number {
  return memory.weights + memory.kvCache + memory.compute;
}
