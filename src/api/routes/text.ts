import type { FastifyInstance } from "fastify";
import type { InferenceService } from "../../core/inference.js";
import { resolveModel } from "../resolve-model.js";
import { parseTemplate } from "../schema/chat.js";
import { parseDetokenize, parseTokenize } from "../schema/text.js";
import type { AnswerPorts } from "./answer.js";

/** `/tokenize`, `/detokenize` and `/apply-template`, in llama-server's shapes. */
export function textRoutes(
  app: FastifyInstance,
  { inference, models, live }: Pick<AnswerPorts, "inference" | "models" | "live">,
): void {
  app.post("/tokenize", async (request, reply) => {
    const signal = live.open(reply.raw);
    const { model: name, content: text, addSpecial, parseSpecial, withPieces } = parseTokenize(request.body);
    const model = resolveModel(models, name);
    const tokens = await inference.tokenize({ model, text, addSpecial, parseSpecial }, signal);
    return { tokens: withPieces ? await pieces(inference, model, tokens, signal) : tokens };
  });

  app.post("/detokenize", async (request, reply) => {
    const { model, tokens } = parseDetokenize(request.body);
    return { content: await inference.detokenize(resolveModel(models, model), tokens, live.open(reply.raw)) };
  });

  app.post("/apply-template", async (request, reply) => {
    const { model, prompt } = parseTemplate(request.body);
    return { prompt: await inference.applyTemplate(resolveModel(models, model), prompt, live.open(reply.raw)) };
  });
}

/** Each different token is asked for once: texts repeat theirs a lot, and the tokenizer may be on another node. */
async function pieces(inference: InferenceService, model: string, tokens: readonly number[], signal: AbortSignal) {
  const texts = new Map<number, string>();
  for (const token of new Set(tokens)) texts.set(token, await inference.detokenize(model, [token], signal));
  return tokens.map((id) => ({ id, piece: texts.get(id) ?? "" }));
}
