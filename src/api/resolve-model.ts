import { ExoError } from "../core/errors.js";
import type { ModelCard, ModelCatalog } from "./ports.js";

/**
 * The id to ask the inference service for. Without a name: the first loaded model. A name that is not in the catalogue
 * passes as it is, for the service may load it on demand, or say why not.
 */
export function resolveModel(models: ModelCatalog, requested: string | null): string {
  const loaded = models.list();
  if (requested !== null && requested !== "") return find(loaded, requested)?.id ?? requested;
  const first = loaded[0];
  if (first === undefined) {
    throw new ExoError(
      "not_ready",
      "No model is loaded yet; wait for it, or start one with `exo-native serve <model>`.",
    );
  }
  return first.id;
}

export function findModel(models: ModelCatalog, id: string): ModelCard {
  const loaded = models.list();
  const found = find(loaded, id);
  if (found !== undefined) return found;
  const names = loaded.map((card) => card.id).join(", ");
  const known = names === "" ? "no model is loaded" : `loaded: ${names}`;
  throw new ExoError("model_not_found", `There is no model named ${JSON.stringify(id.slice(0, 200))} here; ${known}.`, {
    param: "model",
  });
}

function find(loaded: readonly ModelCard[], name: string): ModelCard | undefined {
  return loaded.find((card) => card.id === name) ?? loaded.find((card) => card.aliases?.includes(name));
}
