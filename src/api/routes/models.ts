import type { FastifyInstance } from "fastify";
import type { ModelCard, ModelCatalog } from "../ports.js";
import { findModel } from "../resolve-model.js";

export function modelRoutes(app: FastifyInstance, models: ModelCatalog): void {
  app.get("/v1/models", () => ({ object: "list", data: models.list().map(modelJson) }));
  // A wildcard, because ids such as `hf:org/repo:Q4_K_M` hold slashes, and not every client escapes them.
  app.get<{ Params: { "*": string } }>("/v1/models/*", (request) => modelJson(findModel(models, request.params["*"])));
}

/** OpenAI's model object; `meta` as llama-server has it. */
function modelJson(card: ModelCard) {
  return {
    id: card.id,
    object: "model",
    created: card.created,
    owned_by: card.ownedBy,
    aliases: card.aliases ?? [],
    // As llama-server has it.
    status: { value: card.state ?? "loaded" },
    // Ollama's words.
    capabilities: card.capabilities ?? null,
    meta: {
      n_ctx: card.contextSize ?? null,
      n_ctx_train: card.contextTrained ?? null,
      n_vocab: card.vocabularySize ?? null,
      n_embd: card.embeddingSize ?? null,
      n_params: card.parameterCount ?? null,
      size: card.sizeBytes ?? null,
      architecture: card.architecture ?? null,
    },
  };
}
