/** Writes small GGUF files for tests. Layout: docs/gguf.md of ggml. */
export interface TensorSpec {
  readonly name: string;
  readonly dimensions: readonly number[];
  /** ggml type id; 0 is F32, 8 is Q8_0. */
  readonly type?: number;
  /** Bytes of data; by default that of F32. */
  readonly bytes?: number;
  /** Overrides the right offset. */
  readonly offset?: number;
}

export type MetadataSpec = Readonly<Record<string, string | number | boolean | readonly string[] | readonly number[]>>;

const ALIGNMENT = 32;

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function metadataValue(value: MetadataSpec[string]): Buffer {
  if (typeof value === "string") return Buffer.concat([u32(8), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([u32(7), Buffer.from([value ? 1 : 0])]);
  if (typeof value === "number") return Buffer.concat([u32(4), u32(value)]);
  const items = value.map((item) => (typeof item === "string" ? text(item) : u32(item)));
  return Buffer.concat([u32(9), u32(typeof value[0] === "string" ? 8 : 4), u64(value.length), ...items]);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

export function ggufHeader(metadata: MetadataSpec, tensors: readonly TensorSpec[]): Buffer {
  const parts = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) parts.push(text(key), metadataValue(value));
  let offset = 0;
  for (const tensor of tensors) {
    parts.push(text(tensor.name), u32(tensor.dimensions.length), ...tensor.dimensions.map(u64));
    parts.push(u32(tensor.type ?? 0), u64(tensor.offset ?? offset));
    offset += padded(dataBytes(tensor));
  }
  return Buffer.concat(parts);
}

function dataBytes({ dimensions, bytes }: TensorSpec): number {
  return bytes ?? dimensions.reduce((product, size) => product * size, 4);
}

/** A whole file, its tensors filled with a pattern. */
export function ggufFile(metadata: MetadataSpec, tensors: readonly TensorSpec[]): Buffer {
  const header = ggufHeader(metadata, tensors);
  const data = tensors.map((tensor, index) => Buffer.alloc(padded(dataBytes(tensor)), index + 1));
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length), ...data]);
}

export const TINY_METADATA: MetadataSpec = {
  "general.architecture": "llama",
  "general.name": "Tiny",
  "general.file_type": 0,
  "llama.block_count": 2,
  "llama.context_length": 64,
  "llama.embedding_length": 8,
  "llama.feed_forward_length": 16,
  "llama.attention.head_count": 4,
  "llama.attention.head_count_kv": 2,
  "tokenizer.ggml.tokens": ["a", "b", "c"],
  "tokenizer.chat_template": "{{ messages }}",
};

export const TINY_TENSORS: readonly TensorSpec[] = [
  { name: "token_embd.weight", dimensions: [8, 3] },
  { name: "output_norm.weight", dimensions: [8] },
  { name: "output.weight", dimensions: [8, 3] },
  { name: "rope_freqs.weight", dimensions: [4] },
  { name: "blk.0.attn_q.weight", dimensions: [8, 8] },
  { name: "blk.0.ffn_up.weight", dimensions: [32, 2], type: 8, bytes: 68 },
  { name: "blk.1.attn_q.weight", dimensions: [8, 8] },
];

/** A model of two layers in some 1.5 KB; `weights` makes it that much longer. */
export function tinyModel(weights = 0): Buffer {
  const extra = weights === 0 ? [] : [{ name: "blk.1.ffn_up.weight", dimensions: [weights / 4] }];
  return ggufFile(TINY_METADATA, [...TINY_TENSORS, ...extra]);
}
