/** Which stages of a model hold a tensor. */
export interface TensorPlace {
  /** `shared`: every stage. `unused`: none; layers that only predict further tokens. */
  readonly place: "layer" | "embedding" | "output" | "shared" | "unused";
  /** -1 for tensors of no layer. */
  readonly layer: number;
}

/** Source: `LLM_TENSOR_INFOS` in llama-arch.cpp. */
const EMBEDDING_TENSOR = /^(token_embd\.|position_embd\.|token_types\.|per_layer_token_embd\.|hrm\.)/;
const OUTPUT_TENSOR = /^(output|cls|dense_[23]|dec\.output_norm|enc\.output_norm|altup_(unembd_)?proj)[._]/;
const LAYER_TENSOR = /^blk\.(\d+)\./;

export function placeOf(name: string, layerCount: number): TensorPlace {
  const layer = Number(LAYER_TENSOR.exec(name)?.[1] ?? -1);
  if (layer >= 0) return { place: layer < layerCount ? "layer" : "unused", layer };
  if (EMBEDDING_TENSOR.test(name)) return { place: "embedding", layer };
  return { place: OUTPUT_TENSOR.test(name) ? "output" : "shared", layer };
}
