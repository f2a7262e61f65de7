import type { GgufInfo } from "../../src/model/gguf-info.js";
import type { LayerCuts } from "../../src/model/layer-cuts.js";
import type { MemoryNeeds } from "../../src/model/memory-estimate.js";
import type { TopologyNode } from "../../src/planning/topology.js";

export const MIB = 2 ** 20;

export const NEEDS: MemoryNeeds = {
  contextSize: 256,
  slots: 1,
  kvType: "f16",
  kvTypeV: "f16",
  ubatch: 1,
  flashAttention: true,
};

/** A model of these layers, with 256 bytes × 2 of f16 K and V per token in each. */
export function modelOf(layerBytes: readonly number[], ends: Partial<GgufInfo> = {}): GgufInfo {
  return {
    architecture: "llama",
    name: null,
    layerCount: layerBytes.length,
    embeddingSize: 64,
    contextTrained: 2048,
    headCount: 4,
    feedForwardSize: 128,
    expertsUsed: 0,
    slidingWindow: 0,
    vocabularySize: 100,
    quantisation: "Q4_0",
    parameterCount: 1,
    hasChatTemplate: true,
    texts: { pooling: null, wholeTexts: false, encoder: false },
    layerBytes,
    embeddingBytes: 20 * MIB,
    outputBytes: 10 * MIB,
    sharedBytes: 0,
    tiedEmbedding: false,
    tiedCopyBytes: 0,
    layerState: layerBytes.map(() => ({ keyElements: 64, valueElements: 64, fixedBytes: 0 })),
    cuts: cutsEverywhere(layerBytes.length, 64),
    files: [],
    ...ends,
  };
}

export function cutsEverywhere(layers: number, rowElements: number): LayerCuts {
  return {
    allowed: new Array<boolean>(layers).fill(true),
    rowElements: new Array<number>(layers + 1).fill(rowElements),
    reason: null,
  };
}

/** A node whose stages may take exactly `usable` bytes. */
export function nodeOf(id: string, usable: number, name = id): TopologyNode {
  const memory = usable * 2;
  return {
    id,
    name,
    memoryCap: usable,
    devices: [{ name: "CPU", kind: "cpu", memoryTotal: memory, memoryFree: memory }],
  };
}
