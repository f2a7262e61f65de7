import type { ModelPart } from "../../src/model/memory-estimate.js";
import { ggufHeader, type MetadataSpec, type TensorSpec } from "../unit/model-gguf-builder.js";

export interface LayeredOptions {
  readonly layers: number;
  /** Of the weights of each layer, and of the embedding and of the output head. */
  readonly layerBytes: number;
  readonly endBytes: number;
}

/** The bytes of a GGUF file that are made as they are read: as large as wanted, without being anywhere. */
export interface LayeredModel {
  readonly length: number;
  readonly headerBytes: number;
  subarray(begin: number, end: number): Buffer;
}

const ALIGNMENT = 32;
/** Pieces of this size differ from each other. */
const PIECE = 2 ** 16;

/** A llama of so many layers, in the usual order: embedding, layers, output. Sizes are multiples of 1024. */
export function layeredModel({ layers, layerBytes, endBytes }: LayeredOptions): LayeredModel {
  const width = 256;
  const matrix = (name: string, bytes: number): TensorSpec => ({ name, dimensions: [width, bytes / 4 / width] });
  const tensors = [
    matrix("token_embd.weight", endBytes),
    ...Array.from({ length: layers }, (_, layer) => matrix(`blk.${layer}.ffn_up.weight`, layerBytes)),
    { name: "output_norm.weight", dimensions: [width] },
    matrix("output.weight", endBytes),
  ];
  const metadata: MetadataSpec = {
    "general.architecture": "llama",
    "llama.block_count": layers,
    "llama.context_length": 64,
    "llama.embedding_length": width,
    "llama.feed_forward_length": 16,
    "llama.attention.head_count": 4,
  };
  const header = ggufHeader(metadata, tensors);
  const headerBytes = Math.ceil(header.length / ALIGNMENT) * ALIGNMENT;
  const length = headerBytes + endBytes * 2 + layers * layerBytes + width * 4;
  return { length, headerBytes, subarray: (begin, end) => bytesOf(header, begin, Math.min(end, length)) };
}

function bytesOf(header: Buffer, begin: number, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end - begin);
  for (let piece = Math.floor(begin / PIECE); piece * PIECE < end; piece++) {
    const at = Math.max(begin, piece * PIECE);
    bytes.fill(piece % 251, at - begin, Math.min(end, (piece + 1) * PIECE) - begin);
  }
  if (begin < header.length) header.copy(bytes, 0, begin, Math.min(end, header.length));
  return bytes;
}

/** Parts that stages of a ring hold: the head has both ends. */
export function ringParts(layers: number, stages: number): readonly ModelPart[] {
  const at = (stage: number): number => Math.round((layers * stage) / stages);
  return Array.from({ length: stages }, (_, stage) => ({
    begin: at(stage),
    end: at(stage + 1),
    hasEmbedding: stage === 0,
    hasOutput: stage === 0,
  }));
}
