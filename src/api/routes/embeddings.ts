import type { FastifyInstance } from "fastify";
import { newId } from "../../core/ids.js";
import { embeddingList } from "../openai/embedding-answer.js";
import { resolveModel } from "../resolve-model.js";
import { parseEmbedding } from "../schema/embedding.js";
import type { AnswerPorts } from "./answer.js";

type EmbeddingPorts = Pick<AnswerPorts, "inference" | "models" | "live" | "asks" | "clientOf">;

export function embeddingsRoute(
  app: FastifyInstance,
  { inference, models, live, asks, clientOf }: EmbeddingPorts,
): void {
  app.post("/v1/embeddings", async (request, reply) => {
    const { inputs, format, dimensions, normalize, ...parsed } = parseEmbedding(request.body);
    const model = resolveModel(models, parsed.model);
    asks(request, model);
    const wanted = {
      id: newId("embd"),
      model,
      inputs,
      normalize,
      client: clientOf(request),
      ...(dimensions === null ? {} : { dimensions }),
    };
    return embeddingList(model, await inference.embed(wanted, live.open(reply.raw)), format);
  });
}
