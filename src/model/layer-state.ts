import type { GgufMetadata } from "./gguf-metadata.js";

/** What a layer keeps between tokens of one sequence. */
export interface LayerState {
  /** Elements per token in the K and the V cache; 0 where the layer has no attention. */
  readonly keyElements: number;
  readonly valueElements: number;
  /** Bytes per sequence whatever its length (recurrent layers). */
  readonly fixedBytes: number;
}

const F32_BYTES = 4;

/** Elements of recurrent state in one layer. Source: `n_embd_r` and `n_embd_s` in llama-hparams.cpp. */
function recurrentElements(metadata: GgufMetadata, embeddingSize: number, headCount: number): number {
  const size = (key: string): number => metadata.size(key, 0);
  const wkvHead = size("wkv.head_size");
  if (wkvHead > 0) return (metadata.size("token_shift_count", 2) + wkvHead) * embeddingSize;
  const shortConvolution = size("shortconv.l_cache");
  if (shortConvolution > 0) return embeddingSize * (shortConvolution - 1);
  const kernel = Math.max(0, size("ssm.conv_kernel") - 1);
  const deltaHead = size("kda.head_dim");
  if (deltaHead > 0) return (3 * kernel + deltaHead) * deltaHead * headCount;
  const inner = size("ssm.inner_size");
  const state = size("ssm.state_size");
  return kernel * (inner + 2 * size("ssm.group_count") * state) + state * inner;
}

/** Which layers are recurrent; hybrids say it in one of three ways, or have both kinds of state in every layer. */
function isRecurrent(metadata: GgufMetadata, layers: number, kvHeads: readonly number[]): readonly boolean[] {
  const interval = metadata.size("full_attention_interval", 0);
  const everyLayer = interval === 0 && !kvHeads.includes(0);
  const fallback = kvHeads.map((heads, layer) => {
    const recurrent = interval > 0 ? (layer + 1) % interval !== 0 : heads === 0 || everyLayer;
    return recurrent ? 1 : 0;
  });
  return metadata.sizePerLayer("attention.recurrent_layers", layers, fallback).map((flag) => flag !== 0);
}

/** The state of every layer, as llama.cpp's caches size it. */
export function layerStates(metadata: GgufMetadata, layers: number): readonly LayerState[] {
  const embeddingSize = metadata.size("embedding_length");
  const heads = metadata.sizePerLayer("attention.head_count", layers, new Array<number>(layers).fill(0));
  const kvHeads = metadata.sizePerLayer("attention.head_count_kv", layers, heads);
  const headSize = embeddingSize / Math.max(1, heads[0] ?? 0);
  const keySize = metadata.size("attention.key_length", headSize);
  // Latent attention keeps one row per token; V is a view into it.
  const isLatent = metadata.size("attention.key_length_mla", 0) > 0;
  const valueSize = isLatent ? 0 : metadata.size("attention.value_length", headSize);
  const fixedBytes = recurrentElements(metadata, embeddingSize, heads[0] ?? 0) * F32_BYTES;
  const recurrent = isRecurrent(metadata, layers, kvHeads);
  const hasInterval = metadata.size("full_attention_interval", 0) > 0;
  return kvHeads.map((kv, layer) => {
    const isPurelyRecurrent = hasInterval && fixedBytes > 0 && recurrent[layer] === true;
    const attention = isPurelyRecurrent ? 0 : kv;
    return {
      keyElements: attention * keySize,
      valueElements: attention * valueSize,
      fixedBytes: recurrent[layer] === true ? fixedBytes : 0,
    };
  });
}
