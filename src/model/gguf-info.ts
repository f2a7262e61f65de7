import { basename, dirname, join } from "node:path";
import { ExoError } from "../core/errors.js";
import { fileTypeName } from "./ggml-types.js";
import { type GgufHeader, type GgufTensor, readGgufHeader } from "./gguf-header.js";
import { GgufMetadata } from "./gguf-metadata.js";
import { type LayerCuts, layerCuts } from "./layer-cuts.js";
import { type LayerState, layerStates } from "./layer-state.js";
import { placeOf, type TensorPlace } from "./tensor-place.js";
import { type TextKind, textKind } from "./text-kind.js";

/** What a GGUF file says about itself, as far as placing and running it needs. Sizes in bytes. */
export interface GgufInfo {
  readonly architecture: string;
  /** `general.name`, or `null`. */
  readonly name: string | null;
  /** Without the extra layers that only predict further tokens. */
  readonly layerCount: number;
  readonly embeddingSize: number;
  /** Tokens the model was trained for. */
  readonly contextTrained: number;
  readonly headCount: number;
  /** Widest inner row of the feed-forward part, in elements, over the experts used at once. */
  readonly feedForwardSize: number;
  /** Experts that a token meets in a layer; 0: the model is dense. */
  readonly expertsUsed: number;
  /** Tokens that some layers attend to; 0: all layers attend to all. */
  readonly slidingWindow: number;
  readonly vocabularySize: number;
  /** Of the weights, e.g. `Q4_K_M`, `IQ2_XXS`. */
  readonly quantisation: string;
  readonly parameterCount: number;
  readonly hasChatTemplate: boolean;
  readonly texts: TextKind;
  /** Weights of each layer. */
  readonly layerBytes: readonly number[];
  /** Weights that only the stage with the embedding holds. */
  readonly embeddingBytes: number;
  /** Weights that only the output head holds; with a tied embedding the head uses `embeddingBytes` too. */
  readonly outputBytes: number;
  /** Small tensors that every stage holds, e.g. rope frequencies. */
  readonly sharedBytes: number;
  readonly tiedEmbedding: boolean;
  /**
   * Bytes of a tied embedding that the output head holds again, because CPUs multiply with weights of its type laid out
   * anew; 0 where both ends share it.
   */
  readonly tiedCopyBytes: number;
  /** What each layer keeps between tokens of a sequence. */
  readonly layerState: readonly LayerState[];
  /** Where it may be cut between two layers. */
  readonly cuts: LayerCuts;
  /** In order; more than one for `-00001-of-0000N` models. */
  readonly files: readonly ModelFile[];
}

export interface ModelFile {
  readonly path: string;
  readonly bytes: number;
}

const SPLIT_NAME = /^(?<stem>.+)-(?<part>\d{5})-of-(?<parts>\d{5})\.gguf$/;

/** All files of the model that `path` is the first of. */
export function modelPartPaths(path: string): readonly string[] {
  const groups = SPLIT_NAME.exec(basename(path))?.groups;
  const parts = Number(groups?.parts ?? 1);
  if (groups === undefined || parts < 1) return [path];
  if (Number(groups.part) !== 1) {
    throw new ExoError("invalid_argument", `${path} is a later part of a model; name its first part, -00001-of-….`);
  }
  const numbered = (part: number): string => `${groups.stem}-${String(part).padStart(5, "0")}-of-${groups.parts}`;
  return Array.from({ length: parts }, (_, index) => join(dirname(path), `${numbered(index + 1)}.gguf`));
}

/** Reads the headers of a model's files. `model_not_found` when one is missing, `invalid_model` when one is damaged. */
export async function readGgufInfo(path: string): Promise<GgufInfo> {
  const files: ModelFile[] = [];
  const headers: GgufHeader[] = [];
  for (const part of modelPartPaths(path)) {
    const { header, fileBytes } = await readGgufHeader(part);
    files.push({ path: part, bytes: fileBytes });
    headers.push(header);
  }
  const tensors = headers.flatMap((header) => header.tensors);
  return describe(new GgufMetadata(headers[0]?.metadata ?? new Map(), path), tensors, files, path);
}

/**
 * Types that a CPU multiplies in a form of its own. Nodes of one cluster may differ in that; what this machine's kind does
 * is taken for all. Source: `ggml_repack_get_optimal_repack_type` in ggml's repack.cpp.
 */
const LAID_OUT_ANEW: ReadonlySet<string> = new Set(
  process.arch === "x64"
    ? ["Q2_K", "Q4_0", "Q4_K", "IQ4_NL", "MXFP4"]
    : ["Q1_0", "Q2_K", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"],
);

function sumByPlace(
  tensors: readonly GgufTensor[],
  layerCount: number,
): Record<TensorPlace["place"], number> & { layers: number[] } {
  const sums = { layer: 0, embedding: 0, output: 0, shared: 0, unused: 0 };
  const layers = new Array<number>(layerCount).fill(0);
  for (const tensor of tensors) {
    const { place, layer } = placeOf(tensor.name, layerCount);
    sums[place] += tensor.bytes;
    if (place === "layer") layers[layer] = (layers[layer] ?? 0) + tensor.bytes;
  }
  return { ...sums, layers };
}

/** The number format that most of the weights are in. */
function commonestType(tensors: readonly GgufTensor[]): string {
  const bytes = new Map<string, number>();
  for (const tensor of tensors) bytes.set(tensor.type, (bytes.get(tensor.type) ?? 0) + tensor.bytes);
  return [...bytes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "unknown";
}

function describe(
  metadata: GgufMetadata,
  tensors: readonly GgufTensor[],
  files: readonly ModelFile[],
  path: string,
): GgufInfo {
  const layerCount = metadata.requiredSize("block_count") - metadata.size("nextn_predict_layers", 0);
  const embedding = tensors.find((tensor) => tensor.name === "token_embd.weight");
  if (layerCount < 1 || layerCount > tensors.length || embedding === undefined) {
    const why = `it has ${tensors.length} tensors for ${layerCount} layers${embedding ? "" : " and no token embedding"}`;
    throw new ExoError("invalid_model", `${path} cannot be used as a model: ${why}.`);
  }
  const bytes = sumByPlace(tensors, layerCount);
  const tiedEmbedding = !tensors.some((tensor) => tensor.name === "output.weight");
  return {
    architecture: metadata.architecture,
    name: metadata.text("general.name"),
    layerCount,
    embeddingSize: metadata.requiredSize("embedding_length"),
    contextTrained: metadata.requiredSize("context_length"),
    headCount: metadata.size("attention.head_count", 0),
    feedForwardSize: Math.max(
      metadata.size("feed_forward_length", 0),
      metadata.size("expert_feed_forward_length", 0) * metadata.size("expert_used_count", 1),
    ),
    expertsUsed: metadata.size("expert_used_count", 0),
    slidingWindow: metadata.size("attention.sliding_window", 0),
    vocabularySize: metadata.length("tokenizer.ggml.tokens") || embedding.rows,
    quantisation: fileTypeName(metadata.number("general.file_type") ?? -1) ?? commonestType(tensors),
    parameterCount: tensors.reduce((sum, tensor) => sum + tensor.elements, 0),
    hasChatTemplate: metadata.text("tokenizer.chat_template") !== null,
    texts: textKind(metadata),
    layerBytes: bytes.layers,
    embeddingBytes: bytes.embedding,
    outputBytes: bytes.output,
    sharedBytes: bytes.shared,
    tiedEmbedding,
    tiedCopyBytes: tiedEmbedding && LAID_OUT_ANEW.has(embedding.type) ? embedding.bytes : 0,
    layerState: layerStates(metadata, layerCount),
    cuts: layerCuts(metadata, layerCount),
    files,
  };
}
