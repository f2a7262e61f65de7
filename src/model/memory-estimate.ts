import type { KvType } from "../config/config.js";
import type { GgufInfo, LayerState } from "./gguf-info.js";

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
  readonly kvType: KvType;
  /** Rows in one compute pass. */
  readonly ubatch: number;
}

/** A part of a model: half-open layer range `[begin, end)`, with or without the two ends. */
export interface ModelPart {
  readonly begin: number;
  readonly end: number;
  readonly hasEmbedding: boolean;
  readonly hasOutput: boolean;
}

/** ggml's bytes per element: q8_0 packs 32 elements in 34 bytes, q4_0 in 18. */
const KV_ELEMENT_BYTES: Readonly<Record<KvType, number>> = { f32: 4, f16: 2, bf16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };

/** llama.cpp rounds the cells of a KV cache up to this many. */
const KV_CELL_PADDING = 256;

const F32_BYTES = 4;

export function weightBytes(info: GgufInfo, part: ModelPart): number {
  const layers = info.layerBytes.slice(part.begin, part.end).reduce((sum, bytes) => sum + bytes, 0);
  // A tied embedding serves both ends, so it is held where either of them is, once.
  const embedding = part.hasEmbedding || (part.hasOutput && info.tiedEmbedding) ? info.embeddingBytes : 0;
  return layers + embedding + (part.hasOutput ? info.outputBytes : 0);
}

function layerCacheBytes(layer: LayerState, needs: MemoryNeeds): number {
  const wanted = layer.window === null ? needs.contextSize : Math.min(needs.contextSize, layer.window + needs.ubatch);
  const cells = Math.ceil(wanted / KV_CELL_PADDING) * KV_CELL_PADDING;
  const perToken = (layer.keyElements + layer.valueElements) * KV_ELEMENT_BYTES[needs.kvType];
  return (cells * perToken + layer.fixedBytes) * needs.slots;
}

/** KV cache of the part's layers for every slot; recurrent layers count their fixed state. */
export function kvCacheBytes(info: GgufInfo, part: ModelPart, needs: MemoryNeeds): number {
  const layers = info.layerState.slice(part.begin, part.end);
  return Math.ceil(layers.reduce((sum, layer) => sum + layerCacheBytes(layer, needs), 0));
}
