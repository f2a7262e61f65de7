import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GGML_TYPES } from "../../src/model/ggml-types.js";
import { encodeGgufHeader, type GgufTensorShape, type GgufValue } from "./gguf-writer.js";

/** The shape of a model that people run, as its `config.json` on huggingface.co has it. */
export interface ModelShapeCase {
  readonly name: string;
  readonly architecture: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly tied?: boolean;
  readonly experts?: { readonly count: number; readonly used: number; readonly width: number };
  /** Other metadata, without the architecture's prefix. */
  readonly more?: Readonly<Record<string, number>>;
}

/** Known models: the dense ones as Q4_K_M mostly has them (Q4_K, the output head Q6_K), gpt-oss with MXFP4 experts. */
export const MODEL_SHAPES: readonly ModelShapeCase[] = [
  {
    name: "llama-3.2-1b",
    architecture: "llama",
    layers: 16,
    width: 2048,
    heads: 32,
    kvHeads: 8,
    headSize: 64,
    feedForward: 8192,
    vocabulary: 128_256,
    context: 131_072,
    tied: true,
  },
  {
    name: "llama-3.1-8b",
    architecture: "llama",
    layers: 32,
    width: 4096,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    feedForward: 14_336,
    vocabulary: 128_256,
    context: 131_072,
  },
  {
    name: "llama-3.3-70b",
    architecture: "llama",
    layers: 80,
    width: 8192,
    heads: 64,
    kvHeads: 8,
    headSize: 128,
    feedForward: 28_672,
    vocabulary: 128_256,
    context: 131_072,
  },
  {
    name: "mistral-7b",
    architecture: "llama",
    layers: 32,
    width: 4096,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    feedForward: 14_336,
    vocabulary: 32_768,
    context: 32_768,
  },
  {
    name: "qwen2.5-7b",
    architecture: "qwen2",
    layers: 28,
    width: 3584,
    heads: 28,
    kvHeads: 4,
    headSize: 128,
    feedForward: 18_944,
    vocabulary: 152_064,
    context: 32_768,
  },
  {
    name: "qwen3-32b",
    architecture: "qwen3",
    layers: 64,
    width: 5120,
    heads: 64,
    kvHeads: 8,
    headSize: 128,
    feedForward: 25_600,
    vocabulary: 151_936,
    context: 40_960,
  },
  {
    name: "qwen3-30b-a3b",
    architecture: "qwen3moe",
    layers: 48,
    width: 2048,
    heads: 32,
    kvHeads: 4,
    headSize: 128,
    feedForward: 6144,
    vocabulary: 151_936,
    context: 40_960,
    experts: { count: 128, used: 8, width: 768 },
  },
  {
    name: "gemma-2-9b",
    architecture: "gemma2",
    layers: 42,
    width: 3584,
    heads: 16,
    kvHeads: 8,
    headSize: 256,
    feedForward: 14_336,
    vocabulary: 256_000,
    context: 8192,
    tied: true,
    more: { "attention.sliding_window": 4096, attn_logit_softcapping: 50, final_logit_softcapping: 30 },
  },
  {
    name: "gemma-3-4b",
    architecture: "gemma3",
    layers: 34,
    width: 2560,
    heads: 8,
    kvHeads: 4,
    headSize: 256,
    feedForward: 10_240,
    vocabulary: 262_208,
    context: 131_072,
    tied: true,
    more: { "attention.sliding_window": 1024 },
  },
  {
    name: "phi-3-mini",
    architecture: "phi3",
    layers: 32,
    width: 3072,
    heads: 32,
    kvHeads: 32,
    headSize: 96,
    feedForward: 8192,
    vocabulary: 32_064,
    context: 4096,
    more: { "rope.dimension_count": 96 },
  },
  {
    name: "deepseek-v2-lite",
    architecture: "deepseek2",
    layers: 27,
    width: 2048,
    heads: 16,
    kvHeads: 1,
    headSize: 576,
    feedForward: 10_944,
    vocabulary: 102_400,
    context: 163_840,
    experts: { count: 64, used: 6, width: 1408 },
    more: {
      "attention.kv_lora_rank": 512,
      "attention.key_length_mla": 192,
      "attention.value_length_mla": 128,
      "attention.value_length": 512,
      expert_shared_count: 2,
      leading_dense_block_count: 1,
      expert_weights_scale: 1,
      "rope.dimension_count": 64,
    },
  },
  {
    name: "gpt-oss-20b",
    architecture: "gpt-oss",
    layers: 24,
    width: 2880,
    heads: 64,
    kvHeads: 8,
    headSize: 64,
    feedForward: 2880,
    vocabulary: 201_088,
    context: 131_072,
    experts: { count: 32, used: 4, width: 2880 },
    more: { "attention.sliding_window": 128, "rope.dimension_count": 64 },
  },
];

const TYPE = { f32: 0, q8_0: 8, q4_K: 12, q6_K: 14, mxfp4: 39 } as const;

/** A file of the model's full length whose weights are a hole: it takes no room on the disk. */
export function writeModelShape(shape: ModelShapeCase): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "exo-native-shape-"));
  const path = join(directory, `${shape.name}.gguf`);
  const { header, fileBytes } = encodeGgufHeader(metadataOf(shape), tensorsOf(shape));
  const file = openSync(path, "w");
  writeSync(file, header);
  ftruncateSync(file, fileBytes);
  closeSync(file);
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Numbers that are no sizes. */
const FRACTIONS = new Set(["attn_logit_softcapping", "final_logit_softcapping", "expert_weights_scale"]);

function metadataOf(shape: ModelShapeCase): Record<string, GgufValue> {
  const { architecture, experts, more = {} } = shape;
  const sizes: Record<string, number> = {
    context_length: shape.context,
    embedding_length: shape.width,
    block_count: shape.layers,
    feed_forward_length: shape.feedForward,
    vocab_size: shape.vocabulary,
    "attention.head_count": shape.heads,
    "attention.head_count_kv": shape.kvHeads,
    "attention.key_length": shape.headSize,
    "attention.value_length": shape.headSize,
    "rope.dimension_count": shape.headSize,
    ...(experts && {
      expert_count: experts.count,
      expert_used_count: experts.used,
      expert_feed_forward_length: experts.width,
    }),
    ...more,
  };
  const entries = Object.entries(sizes).map(([key, value]): [string, GgufValue] => [
    `${architecture}.${key}`,
    { type: FRACTIONS.has(key) ? "f32" : "u32", value },
  ]);
  return {
    "general.architecture": { type: "string", value: architecture },
    "tokenizer.ggml.model": { type: "string", value: "none" },
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { type: "f32", value: 1e-5 },
    ...Object.fromEntries(entries),
  };
}

function tensor(name: string, shape: readonly number[], type: number): GgufTensorShape {
  const { blockElements = 1, blockBytes = 4 } = GGML_TYPES.get(type) ?? {};
  const elements = shape.reduce((product, size) => product * size, 1);
  return { name, shape, type, bytes: (elements / blockElements) * blockBytes };
}

/** K-quants pack 256 columns, so other matrices are stored in Q8_0. */
const matrix = (name: string, shape: readonly number[], type: number = TYPE.q4_K): GgufTensorShape =>
  tensor(`${name}.weight`, shape, (shape[0] ?? 0) % 256 === 0 ? type : TYPE.q8_0);

const vector = (name: string, ...shape: readonly number[]): GgufTensorShape => tensor(name, shape, TYPE.f32);

function tensorsOf(shape: ModelShapeCase): GgufTensorShape[] {
  const { width, vocabulary, layers, tied = false } = shape;
  return [
    // A tied embedding is the output head too, so the usual mixtures store it in more bits.
    matrix("token_embd", [width, vocabulary], tied && shape.name !== "gemma-2-9b" ? TYPE.q6_K : TYPE.q4_K),
    ...Array.from({ length: layers }, (_, layer) => layerOf(shape, layer)).flat(),
    vector("output_norm.weight", width),
    ...(tied ? [] : [matrix("output", [width, vocabulary], TYPE.q6_K)]),
  ];
}

function layerOf(shape: ModelShapeCase, layer: number): GgufTensorShape[] {
  const { width } = shape;
  const name = (part: string): string => `blk.${layer}.${part}`;
  const norms = NORMS[shape.architecture] ?? ["attn_norm", "ffn_norm"];
  return [
    ...norms.map((norm) => vector(`${name(norm)}.weight`, width)),
    ...attentionOf(shape, name),
    ...feedForwardOf(shape, layer, name),
  ];
}

const NORMS: Readonly<Record<string, readonly string[]>> = {
  gemma2: ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"],
  gemma3: ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"],
  "gpt-oss": ["attn_norm", "post_attention_norm"],
};

type Name = (part: string) => string;

function attentionOf(shape: ModelShapeCase, name: Name): GgufTensorShape[] {
  const { architecture, width, heads, kvHeads, headSize } = shape;
  if (architecture === "deepseek2") return latentAttention(shape, name);
  const [q, kv] = [heads * headSize, kvHeads * headSize];
  const output = matrix(name("attn_output"), [q, width]);
  if (architecture === "phi3") return [matrix(name("attn_qkv"), [width, q + 2 * kv]), output];
  const biases = architecture === "qwen2" || architecture === "gpt-oss";
  const headNorms = ["qwen3", "qwen3moe", "gemma3"].includes(architecture);
  return [
    matrix(name("attn_q"), [width, q]),
    matrix(name("attn_k"), [width, kv]),
    matrix(name("attn_v"), [width, kv]),
    output,
    ...(biases
      ? [vector(name("attn_q.bias"), q), vector(name("attn_k.bias"), kv), vector(name("attn_v.bias"), kv)]
      : []),
    ...(headNorms ? [vector(name("attn_q_norm.weight"), headSize), vector(name("attn_k_norm.weight"), headSize)] : []),
    ...(architecture === "gpt-oss"
      ? [vector(name("attn_output.bias"), width), vector(name("attn_sinks.weight"), heads)]
      : []),
  ];
}

/** DeepSeek's, of the lite kind without a low rank for the queries. */
function latentAttention({ width, heads, more = {} }: ModelShapeCase, name: Name): GgufTensorShape[] {
  const rank = more["attention.kv_lora_rank"] ?? 0;
  const rope = more["rope.dimension_count"] ?? 0;
  const key = more["attention.key_length_mla"] ?? 0;
  const value = more["attention.value_length_mla"] ?? 0;
  return [
    vector(name("attn_kv_a_norm.weight"), rank),
    matrix(name("attn_q"), [width, heads * key]),
    matrix(name("attn_kv_a_mqa"), [width, rank + rope]),
    matrix(name("attn_k_b"), [key - rope, rank, heads]),
    matrix(name("attn_v_b"), [rank, value, heads]),
    matrix(name("attn_output"), [heads * value, width]),
  ];
}

function feedForwardOf(shape: ModelShapeCase, layer: number, name: Name): GgufTensorShape[] {
  const { architecture, width, feedForward, experts, more = {} } = shape;
  if (experts !== undefined && layer >= (more.leading_dense_block_count ?? 0)) return expertsOf(shape, name);
  if (architecture === "phi3")
    return [matrix(name("ffn_up"), [width, 2 * feedForward]), matrix(name("ffn_down"), [feedForward, width])];
  return gated(name, "", width, feedForward);
}

function gated(name: Name, suffix: string, width: number, inner: number): GgufTensorShape[] {
  return [
    matrix(name(`ffn_gate${suffix}`), [width, inner]),
    matrix(name(`ffn_up${suffix}`), [width, inner]),
    matrix(name(`ffn_down${suffix}`), [inner, width]),
  ];
}

function expertsOf({ architecture, width, experts, more = {} }: ModelShapeCase, name: Name): GgufTensorShape[] {
  const { count = 0, width: inner = 0 } = experts ?? {};
  const packed = (part: string, columns: number, rows: number): GgufTensorShape =>
    architecture === "gpt-oss"
      ? tensor(`${name(part)}.weight`, [columns, rows, count], TYPE.mxfp4)
      : matrix(name(part), [columns, rows, count]);
  const biases = [
    vector(name("ffn_gate_inp.bias"), count),
    vector(name("ffn_gate_exps.bias"), inner, count),
    vector(name("ffn_up_exps.bias"), inner, count),
    vector(name("ffn_down_exps.bias"), width, count),
  ];
  return [
    vector(name("ffn_gate_inp.weight"), width, count),
    packed("ffn_gate_exps", width, inner),
    packed("ffn_up_exps", width, inner),
    packed("ffn_down_exps", inner, width),
    ...(architecture === "gpt-oss" ? biases : []),
    ...(architecture === "deepseek2" ? gated(name, "_shexp", width, inner * (more.expert_shared_count ?? 0)) : []),
  ];
}
