import type { FastifyInstance, FastifyReply } from "fastify";
import type { ChatPrompt, TextPrompt } from "../../../core/inference.js";
import { callerOf } from "../../access/caller.js";
import { requireScope } from "../../access/key-check.js";
import { begunAnswer, begunPrompt } from "../../begun-answer.js";
import {
  answerLines,
  asMessage,
  asResponse,
  emptyAnswer,
  OLLAMA_STREAM,
  type PieceShape,
  wholeAnswer,
} from "../../ollama/answer-lines.js";
import { beginLoading, loadOrUnload } from "../../ollama/loading.js";
import { type OllamaQuestion, parseGenerate, parseOllamaChat } from "../../ollama/requests.js";
import { knownModel, resolveModel } from "../../resolve-model.js";
import { streamAnswer } from "../../stream-answer.js";
import { generate } from "../answer.js";
import type { OllamaPorts } from "./ports.js";

export function ollamaAnswerRoutes(app: FastifyInstance, ports: OllamaPorts): void {
  app.post("/api/chat", (request, reply) => answer(ports, reply, parseOllamaChat(request.body), asMessage));
  app.post("/api/generate", (request, reply) => answer(ports, reply, parseGenerate(request.body), asResponse));
}

async function answer(ports: OllamaPorts, reply: FastifyReply, question: OllamaQuestion, shape: PieceShape) {
  const { clock } = ports;
  const context = { name: question.name, shape, clock, begun: clock.monotonic() };
  const signal = ports.live.open(reply.raw);
  // Others may be using it.
  const unloads = question.prompt === null && question.keepAliveSeconds === 0;
  if (unloads) requireScope(callerOf(reply.request), ["admin"]);
  if (question.prompt === null) return emptyAnswer(context, await loadOrUnload(ports, question, signal));
  tellContextSize(ports, reply, question);
  await beginLoading(ports, question);
  const inputs = [await inputOf(ports, question.model, question.prompt, signal)];
  const { events } = generate(ports, reply, { ...question.request, inputs }, "ollama");
  if (!question.stream) return wholeAnswer(context, events);
  await streamAnswer(reply, answerLines(context, events), OLLAMA_STREAM, ports.sse);
  return reply;
}

async function inputOf(
  { inference, models }: OllamaPorts,
  name: string,
  prompt: ChatPrompt | TextPrompt,
  signal: AbortSignal,
): Promise<ChatPrompt | TextPrompt> {
  if (prompt.kind === "text" || prompt.tools !== undefined) return prompt;
  const begun = begunAnswer(prompt);
  return begun === null ? prompt : begunPrompt(inference, resolveModel(models, name), begun, signal);
}

/** The context is as the model was loaded, for whoever asks; a client that would like a larger one is told. */
function tellContextSize(ports: OllamaPorts, reply: FastifyReply, { model, contextSize }: OllamaQuestion): void {
  const loaded = knownModel(ports.models, model)?.contextSize ?? 0;
  if (contextSize === null || loaded === 0 || contextSize <= loaded) return;
  reply.header(
    "x-exo-native-notice",
    `num_ctx is ${contextSize}, but the model is loaded with a context of ${loaded} tokens; see --ctx.`,
  );
}
