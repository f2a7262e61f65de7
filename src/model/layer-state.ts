import type { GgufMetadata } from "./gguf-metadata.js";
import { keepsNothing } from "./text-kind.js";

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

/** Architectures without any attention. Source: `llm_arch_is_recurrent` in llama-arch.cpp. */
const PURELY_RECURRENT = /^(mamba2?|a?rwkv[67]|rwkv6qwen2)$/;

/** What a layer may have: hybrids say which in one of three ways, or have both in every layer. */
function layerKinds(
  metadata: GgufMetadata,
  layers: number,
  kvHeads: readonly number[],
): readonly { readonly attention: boolean; readonly recurrent: boolean }[] {
  if (PURELY_RECURRENT.test(metadata.architecture)) return kvHeads.map(() => ({ attention: false, recurrent: true }));
  const interval = metadata.size("full_attention_interval", 0);
  if (interval > 0) {
    const everyNth = kvHeads.map((_, layer) => ((layer + 1) % interval === 0 ? 0 : 1));
    const recurrent = metadata.sizePerLayer("attention.recurrent_layers", layers, everyNth);
    return recurrent.map((flag) => ({ attention: flag === 0, recurrent: flag !== 0 }));
  }
  const both = !kvHeads.includes(0);
  return kvHeads.map((heads) => ({ attention: heads > 0, recurrent: both || heads === 0 }));
}

/** The state of every layer, as llama.cpp's caches size it. */
export function layerStates(metadata: GgufMetadata, layers: number): readonly LayerState[] {
  if (keepsNothing(metadata.architecture)) {
    return Array.from({ length: layers }, () => ({ keyElements: 0, valueElements: 0, fixedBytes: 0 }));
  }
  const embeddingSize = metadata.requiredSize("embedding_length");
  const heads = metadata.sizePerLayer("attention.head_count", layers, new Array<number>(layers).fill(0));
  const kvHeads = metadata.sizePerLayer("attention.head_count_kv", layers, heads);
  const headSize = embeddingSize / Math.max(1, heads[0] ?? 0);
  const keySize = metadata.size("attention.key_length", headSize);
  // Latent attention keeps one row per token; V is a view into it.
  const isLatent = metadata.size("attention.key_length_mla", 0) > 0;
  const valueSize = isLatent ? 0 : metadata.size("attention.value_length", headSize);
  // Sparse attention keeps a row of its own by which it chooses what to attend to.
  const indexSize = metadata.size("attention.indexer.key_length", 0);
  const fixedBytes = recurrentElements(metadata, embeddingSize, heads[0] ?? 0) * F32_BYTES;
  const kinds = layerKinds(metadata, layers, kvHeads);
  return kinds.map(({ attention, recurrent }, layer) => {
    const cachedHeads = attention || fixedBytes === 0 ? (kvHeads[layer] ?? 0) : 0;
    return {
      keyElements: cachedHeads === 0 ? 0 : cachedHeads * keySize + indexSize,
      valueElements: cachedHeads * valueSize,
      fixedBytes: recurrent ? fixedBytes : 0,
    };
  });
}
