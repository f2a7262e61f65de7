import type { GgufTensor, GgufValue } from "./gguf-writer.js";
import { encodeGguf } from "./gguf-writer.js";
import { tinyMetadata, tinyTensors } from "./tiny-gguf.js";

const ARCHITECTURE = "gemma2";
const LAYERS = 4;
const WIDTH = 64;

/** A model with random weights whose every other layer sees only the last `window` positions. */
export function tinyWindowedGguf(window: number): Buffer {
  const metadata: Record<string, GgufValue> = {
    ...tinyMetadata({ architecture: ARCHITECTURE, layers: LAYERS, width: WIDTH }),
    [`${ARCHITECTURE}.attention.sliding_window`]: { type: "u32", value: window },
  };
  const norms = Array.from({ length: LAYERS }, (_, layer) => [
    norm(`blk.${layer}.post_attention_norm.weight`),
    norm(`blk.${layer}.post_ffw_norm.weight`),
  ]);
  return encodeGguf(metadata, [...tinyTensors({ layers: LAYERS, width: WIDTH, tied: true }), ...norms.flat()]);
}

function norm(name: string): GgufTensor {
  return { name, shape: [WIDTH], type: "f32", data: new Float32Array(WIDTH).fill(1) };
}
