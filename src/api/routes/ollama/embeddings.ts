import type { FastifyInstance, FastifyReply } from "fastify";
import { newId } from "../../../core/ids.js";
import type { Embedding } from "../../../core/inference.js";
import { nanoseconds } from "../../ollama/answer-lines.js";
import { type OllamaEmbedding, parseEmbed, parseEmbeddings } from "../../ollama/embed-request.js";
import { beginLoading } from "../../ollama/loading.js";
import { numbersOf } from "../../openai/embedding-answer.js";
import { resolveModel } from "../../resolve-model.js";
import type { OllamaPorts } from "./ports.js";

export function ollamaEmbeddingRoutes(app: FastifyInstance, ports: OllamaPorts): void {
  const { clock } = ports;

  app.post("/api/embed", async (request, reply) => {
    const begun = clock.monotonic();
    const parsed = parseEmbed(request.body);
    const embeddings = await embed(ports, reply, parsed);
    return {
      model: parsed.name,
      embeddings: embeddings.map(({ values }) => numbersOf(values)),
      total_duration: nanoseconds((clock.monotonic() - begun) / 1000),
      // Part of the total; nobody measures it apart.
      load_duration: 0,
      prompt_eval_count: embeddings.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
    };
  });

  app.post("/api/embeddings", async (request, reply) => {
    const [embedding] = await embed(ports, reply, parseEmbeddings(request.body));
    return { embedding: embedding === undefined ? [] : numbersOf(embedding.values) };
  });
}

async function embed(ports: OllamaPorts, reply: FastifyReply, parsed: OllamaEmbedding): Promise<readonly Embedding[]> {
  await beginLoading(ports, parsed);
  const model = resolveModel(ports.models, parsed.model);
  ports.asks(reply.request, model);
  if (parsed.request.inputs.length === 0) return [];
  const request = { id: newId("embd"), model, client: ports.clientOf(reply.request), ...parsed.request };
  return ports.inference.embed(request, ports.live.open(reply.raw));
}
