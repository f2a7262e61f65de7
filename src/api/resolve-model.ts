import { ExoError } from "../core/errors.js";
import type { ModelCard, ModelCatalog } from "./ports.js";

/**
 * The id to ask the inference service for. Without a name: the first loaded model, else the first that is being loaded. A
 * name that is not in the catalogue passes as it is, for the service may load it on demand, or say why not.
 */
export function resolveModel(models: ModelCatalog, requested: string | null): string {
  const known = models.list();
  if (requested !== null && requested !== "") return knownModel(models, requested)?.id ?? requested;
  const [first] = known;
  if (first === undefined || first.state === "unloaded") {
    throw new ExoError(
      "not_ready",
      "No model is loaded yet; name one in `model`, wait for it, or start one with `exo-native serve <model>`.",
    );
  }
  return first.id;
}

export function findModel(models: ModelCatalog, id: string): ModelCard {
  const found = knownModel(models, id);
  if (found !== undefined) return found;
  const names = models
    .list()
    .map((card) => card.id)
    .join(", ");
  const known = names === "" ? "no model is loaded" : `there are: ${names}`;
  throw new ExoError("model_not_found", `There is no model named ${JSON.stringify(id.slice(0, 200))} here; ${known}.`, {
    param: "model",
  });
}

export function knownModel(models: ModelCatalog, name: string): ModelCard | undefined {
  const all = models.list();
  return all.find((card) => card.id === name) ?? all.find((card) => card.aliases?.includes(name));
}
