import type { GgufTensor } from "../../model/gguf-header.js";

/** Which layers of a model are alike. */
export interface LayerKinds {
  /** For each layer, its index in `bytes`. */
  readonly kindOfLayer: readonly number[];
  /** Weights of one layer, by kind. */
  readonly bytes: readonly number[];
}

const LAYER_TENSOR = /^blk\.(\d+)\.(.+)$/;

/** Layers are of one kind when their tensors have the same names, shapes and types. In the order of their first layers. */
export function layerKinds(tensors: readonly GgufTensor[], layerCount: number): LayerKinds {
  const layers = Array.from({ length: layerCount }, () => ({ tensors: [] as string[], bytes: 0 }));
  for (const { name, type, rowElements, rows, bytes } of tensors) {
    const [, layer, part] = LAYER_TENSOR.exec(name) ?? [];
    const own = layers[Number(layer ?? -1)];
    if (own === undefined) continue;
    own.tensors.push(`${part} ${type} ${rowElements}x${rows}`);
    own.bytes += bytes;
  }
  const signatures = layers.map((layer) => layer.tensors.sort().join("\n"));
  const kinds = [...new Set(signatures)];
  return {
    kindOfLayer: signatures.map((signature) => kinds.indexOf(signature)),
    bytes: kinds.map((signature) => layers[signatures.indexOf(signature)]?.bytes ?? 0),
  };
}
