import { z } from "zod";
import { ExoError } from "../core/errors.js";
import { BITS_PER_WEIGHT } from "./bits-per-weight.js";
import type { GgufInfo } from "./gguf-info.js";
import type { LayerState } from "./layer-state.js";

const count = z
  .int()
  .min(0)
  .max(2 ** 31);
const size = z
  .int()
  .min(1)
  .max(2 ** 31);

/** The part of a model's `config.json`, as huggingface.co has it, that says how large the model is. */
const schema = z.object({
  model_type: z.string().max(200).default("llama"),
  hidden_size: size,
  num_hidden_layers: z.int().min(1).max(1024),
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  intermediate_size: count.default(0),
  vocab_size: size,
  max_position_embeddings: size.default(4096),
  sliding_window: count.nullish(),
  tie_word_embeddings: z.boolean().default(false),
  num_experts: count.optional(),
  num_local_experts: count.optional(),
  n_routed_experts: count.optional(),
  num_experts_per_tok: size.nullish(),
  moe_intermediate_size: count.optional(),
  n_shared_experts: count.nullish(),
  first_k_dense_replace: count.optional(),
  kv_lora_rank: count.nullish(),
  q_lora_rank: count.nullish(),
  qk_nope_head_dim: count.optional(),
  qk_rope_head_dim: count.optional(),
  v_head_dim: count.optional(),
});

export type ModelShape = z.infer<typeof schema>;

/** Reads a `config.json`; that of a model with other modalities holds the text model's in `text_config`. */
export function parseModelShape(value: unknown): ModelShape {
  const outer = z.looseObject({ text_config: z.looseObject({}).optional() }).safeParse(value);
  const text = outer.success ? outer.data.text_config : undefined;
  const result = schema.safeParse(text === undefined ? value : { ...outer.data, ...text });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") || "its root";
  throw new ExoError(
    "invalid_argument",
    `Expected a model's config.json with hidden_size, num_hidden_layers, num_attention_heads and vocab_size; it is wrong at ${where}: ${issue?.message ?? "unknown fault"}.`,
    { param: "shape" },
  );
}

/** What a GGUF of this shape would say of itself, with every weight in the average number of bits of the quantisation. */
export function infoOfShape(shape: ModelShape, quantisation: string): GgufInfo {
  const bits = BITS_PER_WEIGHT[quantisation.toUpperCase()];
  if (bits === undefined) {
    const known = Object.keys(BITS_PER_WEIGHT).join(", ");
    throw new ExoError("invalid_argument", `Expected one of ${known} as quantisation, received "${quantisation}".`, {
      param: "quantisation",
    });
  }
  const { hidden_size: width, num_hidden_layers: layerCount, vocab_size: vocabulary } = shape;
  const bytes = (parameters: number): number => Math.ceil((parameters * bits) / 8);
  const layers = Array.from({ length: layerCount }, (_, layer) => layerParameters(shape, layer));
  const embedding = width * vocabulary;
  const output = shape.tie_word_embeddings ? width : embedding + width;
  return {
    architecture: shape.model_type,
    name: null,
    layerCount,
    embeddingSize: width,
    contextTrained: shape.max_position_embeddings,
    headCount: shape.num_attention_heads,
    feedForwardSize: Math.max(shape.intermediate_size, expertWidth(shape) * (shape.num_experts_per_tok ?? 0)),
    expertsUsed: expertCount(shape) === 0 ? 0 : (shape.num_experts_per_tok ?? 0),
    slidingWindow: shape.sliding_window ?? 0,
    vocabularySize: vocabulary,
    quantisation: quantisation.toUpperCase(),
    parameterCount: embedding + output + layers.reduce((sum, parameters) => sum + parameters, 0),
    hasChatTemplate: false,
    texts: { pooling: null, wholeTexts: false, encoder: false },
    layerBytes: layers.map(bytes),
    embeddingBytes: bytes(embedding),
    outputBytes: bytes(output),
    sharedBytes: 0,
    tiedEmbedding: shape.tie_word_embeddings,
    tiedCopyBytes: shape.tie_word_embeddings ? bytes(embedding) : 0,
    layerState: layers.map(() => stateOf(shape)),
    cuts: {
      allowed: layers.map(() => true),
      rowElements: new Array<number>(layerCount + 1).fill(width),
      reason: null,
    },
    files: [],
  };
}

const headSize = ({ head_dim, hidden_size, num_attention_heads }: ModelShape): number =>
  head_dim ?? Math.floor(hidden_size / num_attention_heads);

const keyHeads = ({ num_key_value_heads, num_attention_heads }: ModelShape): number =>
  num_key_value_heads ?? num_attention_heads;

const expertCount = ({ num_experts, num_local_experts, n_routed_experts }: ModelShape): number =>
  num_experts ?? num_local_experts ?? n_routed_experts ?? 0;

const expertWidth = ({ moe_intermediate_size, intermediate_size }: ModelShape): number =>
  moe_intermediate_size ?? intermediate_size;

/** Latent attention keeps one row per token. */
function stateOf(shape: ModelShape): LayerState {
  const rank = shape.kv_lora_rank ?? 0;
  if (rank > 0) return { keyElements: rank + (shape.qk_rope_head_dim ?? 0), valueElements: 0, fixedBytes: 0 };
  const elements = keyHeads(shape) * headSize(shape);
  return { keyElements: elements, valueElements: elements, fixedBytes: 0 };
}

function layerParameters(shape: ModelShape, layer: number): number {
  const { hidden_size: width, intermediate_size, first_k_dense_replace = 0, n_shared_experts } = shape;
  const experts = layer < first_k_dense_replace ? 0 : expertCount(shape);
  const feedForward =
    experts === 0
      ? 3 * width * intermediate_size
      : 3 * width * expertWidth(shape) * (experts + (n_shared_experts ?? 0)) + width * experts;
  return attentionParameters(shape) + feedForward + 2 * width;
}

function attentionParameters(shape: ModelShape): number {
  const { hidden_size: width, num_attention_heads: heads } = shape;
  const rank = shape.kv_lora_rank ?? 0;
  if (rank === 0) return 2 * width * headSize(shape) * (heads + keyHeads(shape));
  const { qk_nope_head_dim: plain = 128, qk_rope_head_dim: rope = 64, v_head_dim: value = 128, q_lora_rank } = shape;
  const queries = heads * (plain + rope);
  const query = q_lora_rank ? q_lora_rank * (width + queries) : width * queries;
  return query + width * (rank + rope) + rank * heads * (plain + value) + heads * value * width;
}
