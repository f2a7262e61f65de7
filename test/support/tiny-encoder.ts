import { encodeGguf, type GgufTensor, type GgufValue } from "./gguf-writer.js";
import { normalNumbers, POOLING_TYPE, TINY_VOCABULARY_SIZE, type TinyPooling, tinyMetadata } from "./tiny-gguf.js";

/** Architectures made for embeddings, with random weights. */
export const TINY_ENCODERS = [
  "bert",
  "nomic-bert",
  "nomic-bert-moe",
  "jina-bert-v2",
  "jina-bert-v3",
  "modern-bert",
  "neo-bert",
  "eurobert",
  "gemma-embedding",
  "llama-embed",
] as const;

export type TinyEncoder = (typeof TINY_ENCODERS)[number];

export interface TinyEncoderOptions {
  /** Default mean. */
  readonly pooling?: TinyPooling;
  /** Default 64. */
  readonly contextLength?: number;
  /** Words in pieces as BERT's own tokenizer has them; else llama's tokens. Default false. */
  readonly wordPieces?: boolean;
}

export const TINY_ENCODER_LAYERS = 4;
export const TINY_ENCODER_WIDTH = 64;
const WIDTH = TINY_ENCODER_WIDTH;
const INNER = 2 * WIDTH;
const HEAD = 16;
const HEADS = WIDTH / HEAD;
const EXPERTS = 2;
/** Between the two matrices that follow pooling in embedding models of the Gemma family. */
const DENSE = 96;

/** BERT's special tokens, then whole words, then letters that begin a word, then those that go on with one. */
const LETTERS = [..."abcdefghijklmnopqrstuvwxyz0123456789.,!?"];
const WORDS = ["the", "cat", "dog", "sat", "on", "mat"];
const PIECES = [
  ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  ...WORDS.map((word) => `\u2581${word}`),
  ...LETTERS.map((letter) => `\u2581${letter}`),
  ...LETTERS,
];

export function tinyEncoder(architecture: TinyEncoder, options: TinyEncoderOptions = {}): Buffer {
  const { pooling = "mean", contextLength = 64, wordPieces = false } = options;
  const own = (key: string): string => `${architecture}.${key}`;
  const metadata: Record<string, GgufValue> = {
    ...tinyMetadata({ architecture, layers: TINY_ENCODER_LAYERS, width: WIDTH, headSize: HEAD, contextLength }),
    [own("attention.head_count_kv")]: { type: "u32", value: HEADS },
    [own("attention.layer_norm_epsilon")]: { type: "f32", value: 1e-5 },
    [own("attention.causal")]: { type: "bool", value: 0 },
    [own("pooling_type")]: { type: "u32", value: POOLING_TYPE[pooling] },
    "tokenizer.ggml.token_type_count": { type: "u32", value: 2 },
    ...EXTRAS[architecture],
    ...(wordPieces ? wordPieceVocabulary() : {}),
  };
  const vocabulary = wordPieces ? PIECES.length : TINY_VOCABULARY_SIZE;
  return encodeGguf(metadata, new Weights().of(architecture, vocabulary, contextLength));
}

const EXTRAS: Readonly<Record<TinyEncoder, Readonly<Record<string, GgufValue>>>> = {
  bert: {},
  "nomic-bert": {},
  "nomic-bert-moe": {
    "nomic-bert-moe.moe_every_n_layers": { type: "u32", value: 2 },
    "nomic-bert-moe.expert_count": { type: "u32", value: EXPERTS },
    "nomic-bert-moe.expert_used_count": { type: "u32", value: 1 },
  },
  "jina-bert-v2": {},
  "jina-bert-v3": {},
  "modern-bert": { "modern-bert.attention.sliding_window": { type: "u32", value: 8 } },
  "neo-bert": {},
  eurobert: {},
  "gemma-embedding": {
    "gemma-embedding.attention.sliding_window": { type: "u32", value: 8 },
    "gemma-embedding.attention.sliding_window_pattern": { type: "u32", value: 2 },
    "gemma-embedding.dense_2_feat_in": { type: "u32", value: WIDTH },
    "gemma-embedding.dense_2_feat_out": { type: "u32", value: DENSE },
    "gemma-embedding.dense_3_feat_in": { type: "u32", value: DENSE },
    "gemma-embedding.dense_3_feat_out": { type: "u32", value: WIDTH },
  },
  "llama-embed": {},
};

function wordPieceVocabulary(): Record<string, GgufValue> {
  return {
    "tokenizer.ggml.model": { type: "string", value: "bert" },
    "tokenizer.ggml.tokens": { type: "strings", value: PIECES },
    "tokenizer.ggml.scores": { type: "f32s", value: PIECES.map(() => 0) },
    "tokenizer.ggml.token_type": { type: "i32s", value: PIECES.map((_, index) => (index < 5 ? 3 : 1)) },
    "tokenizer.ggml.padding_token_id": { type: "u32", value: 0 },
    "tokenizer.ggml.unknown_token_id": { type: "u32", value: 1 },
    "tokenizer.ggml.bos_token_id": { type: "u32", value: 2 },
    "tokenizer.ggml.eos_token_id": { type: "u32", value: 3 },
    "tokenizer.ggml.cls_token_id": { type: "u32", value: 2 },
    "tokenizer.ggml.seperator_token_id": { type: "u32", value: 3 },
    "tokenizer.ggml.mask_token_id": { type: "u32", value: 4 },
  };
}

/** Tensors by the names that llama.cpp's loaders ask for (src/models). */
class Weights {
  readonly #random = normalNumbers(7);

  of(architecture: TinyEncoder, vocabulary: number, contextLength: number): GgufTensor[] {
    const layers = Array.from({ length: TINY_ENCODER_LAYERS }, (_, layer) => this.#layer(architecture, layer)).flat();
    return [
      this.#matrix("token_embd.weight", WIDTH, vocabulary),
      ...this.#beforeLayers(architecture, contextLength),
      ...layers,
      ...this.#afterLayers(architecture),
    ];
  }

  #beforeLayers(architecture: TinyEncoder, contextLength: number): GgufTensor[] {
    switch (architecture) {
      case "modern-bert":
        return [this.#scale("token_embd_norm.weight")];
      case "neo-bert":
      case "eurobert":
      case "gemma-embedding":
      case "llama-embed":
        return [];
      default:
        return [
          this.#matrix("token_types.weight", WIDTH, 2),
          ...(architecture === "bert" ? [this.#matrix("position_embd.weight", WIDTH, contextLength)] : []),
          ...this.#norm("token_embd_norm"),
        ];
    }
  }

  #afterLayers(architecture: TinyEncoder): GgufTensor[] {
    switch (architecture) {
      case "modern-bert":
      case "eurobert":
      case "llama-embed":
        return [this.#scale("output_norm.weight")];
      case "neo-bert":
        return [this.#scale("enc.output_norm.weight")];
      case "gemma-embedding":
        return [
          this.#scale("output_norm.weight"),
          this.#matrix("dense_2.weight", WIDTH, DENSE),
          this.#matrix("dense_3.weight", DENSE, WIDTH),
        ];
      default:
        return [];
    }
  }

  #layer(architecture: TinyEncoder, index: number): GgufTensor[] {
    const name = (part: string): string => `blk.${index}.${part}`;
    switch (architecture) {
      case "modern-bert":
      case "neo-bert":
        return this.#fusedLayer(name, architecture === "modern-bert" && index === 0);
      case "eurobert":
      case "llama-embed":
        return this.#gatedLayer(name);
      case "gemma-embedding":
        return [
          ...this.#gatedLayer(name),
          this.#scale(name("post_attention_norm.weight")),
          this.#scale(name("post_ffw_norm.weight")),
          this.#scale(name("attn_q_norm.weight"), HEAD),
          this.#scale(name("attn_k_norm.weight"), HEAD),
        ];
      default:
        return this.#bertLayer(name, architecture, index);
    }
  }

  #bertLayer(name: (part: string) => string, architecture: TinyEncoder, index: number): GgufTensor[] {
    const hasExperts = architecture === "nomic-bert-moe" && index % 2 === 1;
    const hasGate = architecture === "nomic-bert" || architecture === "jina-bert-v2";
    return [
      ...["attn_q", "attn_k", "attn_v", "attn_output"].flatMap((part) => this.#biased(name(part), WIDTH, WIDTH)),
      ...this.#norm(name("attn_output_norm")),
      ...(hasExperts ? this.#experts(name) : this.#feedForward(name)),
      ...(hasGate ? [this.#matrix(name("ffn_gate.weight"), WIDTH, INNER)] : []),
      ...this.#norm(name("layer_output_norm")),
    ];
  }

  #feedForward(name: (part: string) => string): GgufTensor[] {
    return [...this.#biased(name("ffn_up"), WIDTH, INNER), ...this.#biased(name("ffn_down"), INNER, WIDTH)];
  }

  #experts(name: (part: string) => string): GgufTensor[] {
    return [
      this.#matrix(name("ffn_gate_inp.weight"), WIDTH, EXPERTS),
      this.#matrix(name("ffn_up_exps.weight"), WIDTH, INNER, EXPERTS),
      this.#matrix(name("ffn_down_exps.weight"), INNER, WIDTH, EXPERTS),
    ];
  }

  #fusedLayer(name: (part: string) => string, isFirst: boolean): GgufTensor[] {
    return [
      ...(isFirst ? [] : [this.#scale(name("attn_norm.weight"))]),
      this.#matrix(name("attn_qkv.weight"), WIDTH, 3 * WIDTH),
      this.#matrix(name("attn_output.weight"), WIDTH, WIDTH),
      this.#scale(name("ffn_norm.weight")),
      this.#matrix(name("ffn_up.weight"), WIDTH, 2 * INNER),
      this.#matrix(name("ffn_down.weight"), INNER, WIDTH),
    ];
  }

  #gatedLayer(name: (part: string) => string): GgufTensor[] {
    return [
      this.#scale(name("attn_norm.weight")),
      ...["attn_q", "attn_k", "attn_v", "attn_output"].map((part) =>
        this.#matrix(name(`${part}.weight`), WIDTH, WIDTH),
      ),
      this.#scale(name("ffn_norm.weight")),
      this.#matrix(name("ffn_gate.weight"), WIDTH, INNER),
      this.#matrix(name("ffn_up.weight"), WIDTH, INNER),
      this.#matrix(name("ffn_down.weight"), INNER, WIDTH),
    ];
  }

  #biased(name: string, columns: number, rows: number): GgufTensor[] {
    return [
      this.#matrix(`${name}.weight`, columns, rows),
      this.#filled(`${name}.bias`, [rows], () => this.#random() / 8),
    ];
  }

  #norm(name: string): GgufTensor[] {
    return [this.#scale(`${name}.weight`), this.#filled(`${name}.bias`, [WIDTH], () => this.#random() / 8)];
  }

  /** About 1, but not all the same. */
  #scale(name: string, size = WIDTH): GgufTensor {
    return this.#filled(name, [size], () => 1 + this.#random() / 8);
  }

  #matrix(name: string, columns: number, ...rows: readonly number[]): GgufTensor {
    const scale = 1 / Math.sqrt(columns);
    return this.#filled(name, [columns, ...rows], () => this.#random() * scale);
  }

  #filled(name: string, shape: readonly number[], value: () => number): GgufTensor {
    return {
      name,
      shape,
      data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, value),
    };
  }
}
