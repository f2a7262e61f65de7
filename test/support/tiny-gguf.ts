import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeGguf, type GgufTensor, type GgufValue } from "./gguf-writer.js";

/** A llama with random weights, small enough to write and load in milliseconds. */
export interface TinyModelOptions {
  /** Default 4. */
  readonly layers?: number;
  /** Numbers of a hidden state; a multiple of 64. Default 64. */
  readonly width?: number;
  /** Numbers of an attention head; divides `width` by an even number. Default 16. */
  readonly headSize?: number;
  /** Type of the matrices. Default f32. */
  readonly matrices?: "f32" | "f16";
  /** Jinja text. Default: none. */
  readonly chatTemplate?: string;
  /** Other weights. Default 1. */
  readonly seed?: number;
  /** The output head uses the token embedding. Default false. */
  readonly tied?: boolean;
  /** Default `llama`; another name is written as it is, with llama's tensors. */
  readonly architecture?: string;
  /** Tokens the model says it was trained for. Default 256. */
  readonly contextLength?: number;
  /** How its hidden states become an embedding, as its file says. Default: it does not say. */
  readonly pooling?: TinyPooling;
  /**
   * Printable characters and the end are all it says, and close choices are rare: the output head's other rows are zero,
   * and these larger. Default false.
   */
  readonly plainText?: boolean;
  /** Further tokens, of several characters; a space is U+2581. Default: none. */
  readonly moreTokens?: readonly string[];
}

export type TinyPooling = keyof typeof POOLING_TYPE;
/** llama.cpp's numbers. */
export const POOLING_TYPE = { mean: 1, cls: 2, last: 3, rank: 4 } as const;

/** 3 special tokens, 256 single bytes, and printable ASCII characters: any text can be tokenized. */
export const TINY_VOCABULARY_SIZE = 3 + 256 + 95;
export const TINY_BOS = 1;
export const TINY_EOS = 2;

/** How much larger the output head's rows are in a model of plain text. */
const PLAIN_SCALE = 4;

/** GGUF token types. */
const TOKEN = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

export function tinyGguf(options: TinyModelOptions = {}): Buffer {
  return encodeGguf(tinyMetadata(options), tinyTensors(options));
}

/** Writes the model into a directory of its own. `remove` deletes that. */
export function writeTinyModel(options: TinyModelOptions = {}): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "exo-native-tiny-"));
  const path = join(directory, "tiny.gguf");
  writeFileSync(path, tinyGguf(options));
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export function tinyMetadata(options: TinyModelOptions = {}): Record<string, GgufValue> {
  const { layers = 4, width = 64, headSize = 16, architecture = "llama", contextLength = 256, chatTemplate } = options;
  const heads = width / headSize;
  const metadata: Record<string, GgufValue> = {
    "general.architecture": { type: "string", value: architecture },
    [`${architecture}.context_length`]: { type: "u32", value: contextLength },
    [`${architecture}.embedding_length`]: { type: "u32", value: width },
    [`${architecture}.block_count`]: { type: "u32", value: layers },
    [`${architecture}.feed_forward_length`]: { type: "u32", value: 2 * width },
    [`${architecture}.attention.head_count`]: { type: "u32", value: heads },
    [`${architecture}.attention.head_count_kv`]: { type: "u32", value: heads / 2 },
    [`${architecture}.rope.dimension_count`]: { type: "u32", value: headSize },
    [`${architecture}.attention.layer_norm_rms_epsilon`]: { type: "f32", value: 1e-5 },
    ...vocabularyMetadata(options.moreTokens ?? []),
  };
  if (options.pooling !== undefined) {
    metadata[`${architecture}.pooling_type`] = { type: "u32", value: POOLING_TYPE[options.pooling] };
  }
  if (chatTemplate !== undefined) metadata["tokenizer.chat_template"] = { type: "string", value: chatTemplate };
  return metadata;
}

function vocabularyMetadata(more: readonly string[]): Record<string, GgufValue> {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  // sentencepiece writes a space as U+2581
  const characters = Array.from({ length: 95 }, (_, index) =>
    index === 0 ? "\u2581" : String.fromCharCode(32 + index),
  );
  const texts = ["<unk>", "<s>", "</s>", ...bytes, ...characters, ...more];
  const types = [
    TOKEN.unknown,
    TOKEN.control,
    TOKEN.control,
    ...bytes.map(() => TOKEN.byte),
    ...[...characters, ...more].map(() => TOKEN.normal),
  ];
  return {
    "tokenizer.ggml.model": { type: "string", value: "llama" },
    "tokenizer.ggml.tokens": { type: "strings", value: texts },
    "tokenizer.ggml.scores": { type: "f32s", value: texts.map((_, index) => -index) },
    "tokenizer.ggml.token_type": { type: "i32s", value: types },
    "tokenizer.ggml.bos_token_id": { type: "u32", value: TINY_BOS },
    "tokenizer.ggml.eos_token_id": { type: "u32", value: TINY_EOS },
    "tokenizer.ggml.unknown_token_id": { type: "u32", value: 0 },
  };
}

export function tinyTensors(options: TinyModelOptions = {}): GgufTensor[] {
  const { layers = 4, width = 64, matrices = "f32", seed = 1, tied = false, plainText = false } = options;
  const random = normalNumbers(seed);
  const matrix = (name: string, columns: number, rows: number): GgufTensor => {
    const scale = 1 / Math.sqrt(columns);
    return {
      name,
      shape: [columns, rows],
      type: matrices,
      data: Float32Array.from({ length: columns * rows }, () => random() * scale),
    };
  };
  const norm = (name: string): GgufTensor => ({ name, shape: [width], data: new Float32Array(width).fill(1) });
  const layer = (index: number): GgufTensor[] => {
    const name = (part: string): string => `blk.${index}.${part}.weight`;
    return [
      norm(name("attn_norm")),
      matrix(name("attn_q"), width, width),
      matrix(name("attn_k"), width, width / 2),
      matrix(name("attn_v"), width, width / 2),
      matrix(name("attn_output"), width, width),
      norm(name("ffn_norm")),
      matrix(name("ffn_gate"), width, 2 * width),
      matrix(name("ffn_up"), width, 2 * width),
      matrix(name("ffn_down"), 2 * width, width),
    ];
  };
  const tokens = TINY_VOCABULARY_SIZE + (options.moreTokens?.length ?? 0);
  const output = (): GgufTensor => matrix("output.weight", width, tokens);
  return [
    matrix("token_embd.weight", width, tokens),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    norm("output_norm.weight"),
    ...(tied ? [] : [plainText ? saysText(output(), width) : output()]),
  ];
}

function saysText(tensor: GgufTensor, width: number): GgufTensor {
  const isText = (token: number): boolean => token === TINY_EOS || token >= 3 + 256;
  const data = tensor.data.map((value, at) => (isText(Math.floor(at / width)) ? value * PLAIN_SCALE : 0));
  return { ...tensor, data };
}

/** Normally distributed numbers that are the same in every run (mulberry32, Box and Muller). */
export function normalNumbers(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
