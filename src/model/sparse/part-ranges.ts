import type { GgufHeader, GgufTensor } from "../gguf-header.js";
import type { ModelPart } from "../memory-estimate.js";
import { placeOf, type TensorPlace } from "../tensor-place.js";
import type { ByteRange } from "./blocks.js";

/** What of a whole model a part is measured against. */
export interface WholeModel {
  readonly layerCount: number;
  readonly tiedEmbedding: boolean;
}

/** Looked up by layers in architectures that have such layers, whose stages all hold it. See exo-stage-memory.cpp. */
const LAYER_LOOKUP = "per_layer_token_embd";

/**
 * The bytes of one file of a model that a part needs: its header, and the tensors that llama.cpp reads for this part.
 * A whole model needs the whole file, also tensors that only other programs use.
 */
export function partRanges(
  header: GgufHeader,
  fileBytes: number,
  part: ModelPart,
  model: WholeModel,
): readonly ByteRange[] {
  if (isWhole(part, model)) return [{ begin: 0, end: fileBytes }];
  const layersLookUp = [...header.metadata.keys()].some((key) => key.endsWith(".ple.layers"));
  const needed = header.tensors.filter(
    (tensor) =>
      isNeeded(placeOf(tensor.name, model.layerCount), part, model) ||
      (layersLookUp && tensor.name.startsWith(LAYER_LOOKUP)),
  );
  return joined([{ begin: 0, end: Math.min(fileBytes, header.dataOffset) }, ...needed.map(rangeOf)]);
}

function isWhole({ begin, end, hasEmbedding, hasOutput }: ModelPart, { layerCount }: WholeModel): boolean {
  return begin === 0 && end === layerCount && hasEmbedding && hasOutput;
}

function isNeeded({ place, layer }: TensorPlace, part: ModelPart, { tiedEmbedding }: WholeModel): boolean {
  switch (place) {
    case "layer":
      return layer >= part.begin && layer < part.end;
    case "embedding":
      return part.hasEmbedding || (part.hasOutput && tiedEmbedding);
    case "output":
      return part.hasOutput;
    case "shared":
      return true;
    case "unused":
      return false;
  }
}

function rangeOf({ offset, bytes }: GgufTensor): ByteRange {
  return { begin: offset, end: offset + bytes };
}

/** In order, those that touch as one. */
function joined(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const result: { begin: number; end: number }[] = [];
  for (const { begin, end } of [...ranges].sort((a, b) => a.begin - b.begin)) {
    const last = result.at(-1);
    if (last !== undefined && begin <= last.end) last.end = Math.max(last.end, end);
    else if (end > begin) result.push({ begin, end });
  }
  return result;
}
