import type { ModelDescription } from "../../model/model-descriptions.js";
import type { ModelCard, ModelLibrary } from "../ports.js";

/** What this node's disk tells of a listed model; `null`: its files are on other nodes only. */
export async function describeCard(library: ModelLibrary, card: ModelCard): Promise<ModelDescription | null> {
  for (const name of [...(card.aliases ?? []), card.id]) {
    const description = await library.describe(name);
    if (description !== null) return description;
  }
  return null;
}

export function detailsJson(card: ModelCard, description: ModelDescription | null) {
  const family = description?.info.architecture ?? card.architecture ?? "";
  return {
    parent_model: "",
    format: "gguf",
    family,
    families: family === "" ? [] : [family],
    parameter_size: parameterSize(description?.info.parameterCount ?? card.parameterCount ?? 0),
    quantization_level: description?.info.quantisation ?? "",
  };
}

export function digestOf(description: ModelDescription | null): string {
  return description?.sha256 ?? "";
}

const UNITS = [
  { size: 1e12, letter: "T", digits: 1 },
  { size: 1e9, letter: "B", digits: 1 },
  { size: 1e6, letter: "M", digits: 2 },
  { size: 1e3, letter: "K", digits: 0 },
] as const;

/** `1.1B`, `260.03M`; "" while it is not known. */
export function parameterSize(count: number): string {
  if (count === 0) return "";
  const unit = UNITS.find(({ size }) => count >= size);
  return unit === undefined ? String(count) : (count / unit.size).toFixed(unit.digits) + unit.letter;
}
