import type { FastifyInstance } from "fastify";
import type { ChatPrompt, InferenceService } from "../../core/inference.js";
import { wholeMessage } from "../anthropic/message.js";
import { MESSAGE_STREAM, messageEvents, named } from "../anthropic/message-events.js";
import { type MessagesRequest, parseCountTokens, parseMessages } from "../anthropic/request.js";
import { begunAnswer, begunPrompt } from "../begun-answer.js";
import { resolveModel } from "../resolve-model.js";
import type { ParsedRequest } from "../schema/request.js";
import { streamAnswer } from "../stream-answer.js";
import { type AnswerPorts, generate } from "./answer.js";

/** Anthropic's messages. */
export function messagesRoutes(app: FastifyInstance, ports: AnswerPorts): void {
  app.addHook("onRequest", async (request, reply) => {
    // Where Anthropic's SDKs look for it.
    reply.header("request-id", request.id);
  });

  app.post("/v1/messages", async (request, reply) => {
    const parsed = await begun(ports, parseMessages(request.body), ports.live.open(reply.raw));
    const { context, events } = generate(ports, reply, parsed, "msg");
    const message = messageEvents(context, events);
    if (!parsed.stream) return wholeMessage(message);
    await streamAnswer(reply, named(message), MESSAGE_STREAM, ports.sse);
    return reply;
  });

  app.post("/v1/messages/count_tokens", async (request, reply) => {
    const signal = ports.live.open(reply.raw);
    const { model: name, prompt } = parseCountTokens(request.body);
    const model = resolveModel(ports.models, name);
    const text = await promptText(ports.inference, model, prompt, signal);
    const tokens = await ports.inference.tokenize({ model, text, addSpecial: true, parseSpecial: true }, signal);
    return { input_tokens: tokens.length };
  });
}

async function begun(ports: AnswerPorts, parsed: MessagesRequest, signal: AbortSignal): Promise<ParsedRequest> {
  const answer = begunAnswer(parsed.inputs[0]);
  if (answer === null) return parsed;
  const model = resolveModel(ports.models, parsed.model);
  return { ...parsed, inputs: [await begunPrompt(ports.inference, model, answer, signal)] };
}

async function promptText(
  inference: InferenceService,
  model: string,
  prompt: ChatPrompt,
  signal: AbortSignal,
): Promise<string> {
  const answer = begunAnswer(prompt);
  if (answer === null) return inference.applyTemplate(model, prompt, signal);
  // Counted as it would be sent, but nobody answers: tools do no harm.
  return (await inference.applyTemplate(model, answer.prompt, signal)) + answer.beginning;
}
