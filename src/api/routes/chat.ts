import type { FastifyInstance } from "fastify";
import { chatChunks, chatCompletion } from "../openai/chat-answer.js";
import { parseChat } from "../schema/chat.js";
import { type AnswerPorts, answer } from "./answer.js";

const SHAPE = { idPrefix: "chatcmpl", whole: chatCompletion, chunks: chatChunks };

export function chatRoute(app: FastifyInstance, ports: AnswerPorts): void {
  app.post("/v1/chat/completions", (request, reply) => answer(ports, reply, parseChat(request.body), SHAPE));
}
