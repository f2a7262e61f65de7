import type { GgufInfo } from "./gguf-info.js";
import type { MemoryNeeds, ModelPart } from "./memory-estimate.js";

const F32_BYTES = 4;
/** In numbers of four bytes: masks are f16 with flash attention and f32 without. */
const MASK = { flash: 0.5, plain: 1 } as const;

/** Rows that a head samples at once: one for each slot, and those drafted for one of them. */
const DRAFTED_ROWS = 31;

/**
 * llama.cpp's scratch buffer: what is held at the widest moment of a graph. Fitted to its own accounting for the 12 models
 * of test/native/memory-plan.test.ts, whose whole memory it agrees with within 5 %. A head of several nodes has two graphs:
 * its layers and, after the way round, the output head.
 */
export function computeBytes(info: GgufInfo, part: ModelPart, asked: MemoryNeeds): number {
  // A pass never has more rows than all caches have room for (`llama_context`): a small context makes small buffers.
  const needs = { ...asked, ubatch: Math.min(asked.ubatch, asked.contextSize * asked.slots) };
  const layers = part.begin === part.end ? 0 : layerNumbers(info, part, needs);
  const output = part.hasOutput ? outputNumbers(info, needs) : 0;
  const isOneGraph = part.begin === 0 && part.end === info.layerCount;
  return Math.ceil((isOneGraph ? Math.max(layers, output) : layers + output) * F32_BYTES);
}

/** The feed-forward part with its gate, or the experts' outputs, or attention scores where they are held at once. */
function layerNumbers(info: GgufInfo, { hasEmbedding }: ModelPart, needs: MemoryNeeds): number {
  const { embeddingSize: width, feedForwardSize, expertsUsed, headCount, slidingWindow } = info;
  const states = hasEmbedding ? 4 : 3;
  const masks = needs.contextSize * (slidingWindow > 0 ? 2 : 1);
  const dense = 3 * feedForwardSize + states * width;
  const experts = expertsUsed === 0 ? 0 : (2 * expertsUsed + states + 1) * width;
  const perRow = Math.max(dense, experts) + masks * MASK.flash;
  const scores = (states + 2) * width + headCount * needs.contextSize + masks * MASK.plain;
  return needs.ubatch * (needs.flashAttention ? perRow : Math.max(perRow, scores));
}

/** Hidden states come in for all rows; logits are made for the sampled ones. */
function outputNumbers({ embeddingSize, vocabularySize }: GgufInfo, { ubatch, slots }: MemoryNeeds): number {
  const rows = Math.min(ubatch, slots + DRAFTED_ROWS);
  return embeddingSize * ubatch + rows * (vocabularySize + embeddingSize);
}
