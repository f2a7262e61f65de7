import type { FastifyInstance } from "fastify";
import type { InferenceService } from "../../core/inference.js";
import type { ModelCatalog } from "../ports.js";
import { resolveModel } from "../resolve-model.js";
import { parseTemplate } from "../schema/chat.js";
import { parseDetokenize, parseTokenize } from "../schema/text.js";

/** `/tokenize`, `/detokenize` and `/apply-template`, in llama-server's shapes. */
export function textRoutes(app: FastifyInstance, inference: InferenceService, models: ModelCatalog): void {
  app.post("/tokenize", async (request) => {
    const { model: name, content: text, addSpecial, parseSpecial, withPieces } = parseTokenize(request.body);
    const model = resolveModel(models, name);
    const tokens = await inference.tokenize({ model, text, addSpecial, parseSpecial });
    return { tokens: withPieces ? await pieces(inference, model, tokens) : tokens };
  });

  app.post("/detokenize", async (request) => {
    const { model, tokens } = parseDetokenize(request.body);
    return { content: await inference.detokenize(resolveModel(models, model), tokens) };
  });

  app.post("/apply-template", async (request) => {
    const { model, prompt } = parseTemplate(request.body);
    return { prompt: await inference.applyTemplate(resolveModel(models, model), prompt) };
  });
}

/** Each different token is asked for once: texts repeat theirs a lot, and the tokenizer may be on another node. */
async function pieces(inference: InferenceService, model: string, tokens: readonly number[]) {
  const texts = new Map<number, string>();
  for (const token of new Set(tokens)) texts.set(token, await inference.detokenize(model, [token]));
  return tokens.map((id) => ({ id, piece: texts.get(id) ?? "" }));
}
