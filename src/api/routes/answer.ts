import type { FastifyReply, FastifyRequest } from "fastify";
import { newId } from "../../core/ids.js";
import type { InferenceService } from "../../core/inference.js";
import type { Clock } from "../../core/ports.js";
import type { RequestOrigin } from "../../core/trace.js";
import { type ChoiceEvent, generateChoices } from "../generate-choices.js";
import type { LiveRequests } from "../live-requests.js";
import { type Answer, type AnswerContext, collectAnswers } from "../openai/answer.js";
import type { ModelCatalog } from "../ports.js";
import { resolveModel } from "../resolve-model.js";
import { type ParsedRequest, toInferenceRequests } from "../schema/request.js";
import type { SseOptions } from "../sse.js";
import { streamAnswer } from "../stream-answer.js";
import { DATA_EVENTS, type StreamFormat } from "../stream-format.js";

/** What the answering routes need. */
export interface AnswerPorts {
  readonly inference: InferenceService;
  readonly models: ModelCatalog;
  readonly clock: Clock;
  readonly live: LiveRequests;
  readonly sse: SseOptions;
  readonly systemFingerprint: string;
  /** Notes which model a request asks; what its head is to know of where it comes from. */
  readonly asks: (request: FastifyRequest, model: string) => RequestOrigin;
  /** Whose request it is, for clients to be served in turn. */
  readonly clientOf: (request: FastifyRequest) => string;
}

/** How a route puts the same events into its own words. */
export interface AnswerShape<Chunk = unknown> {
  readonly idPrefix: string;
  /** How chunks are sent. Absent: as OpenAI's chat does. */
  readonly format?: StreamFormat<Chunk>;
  whole(context: AnswerContext, answers: readonly Answer[]): unknown;
  chunks(context: AnswerContext, events: AsyncIterable<ChoiceEvent>): AsyncGenerator<Chunk, void>;
}

/** One answer in the making. */
export interface Generation {
  readonly context: AnswerContext;
  readonly events: AsyncGenerator<ChoiceEvent, void>;
}

/** Begins what was asked for; it ends early when the client goes away. */
export function generate(ports: AnswerPorts, reply: FastifyReply, parsed: ParsedRequest, idPrefix: string): Generation {
  const id = newId(idPrefix);
  const model = resolveModel(ports.models, parsed.model);
  const origin = ports.asks(reply.request, model);
  const client = ports.clientOf(reply.request);
  const requests = toInferenceRequests(parsed, id, model).map((request) => ({ ...request, origin, client }));
  const context: AnswerContext = {
    id,
    model,
    created: Math.floor(ports.clock.wall() / 1000),
    systemFingerprint: ports.systemFingerprint,
    choices: requests.length,
    choicesPerInput: parsed.choicesPerInput,
    includeUsage: parsed.includeUsage,
  };
  return { context, events: generateChoices(ports.inference, requests, ports.live.open(reply.raw)) };
}

/** Generates what was asked for and sends it, streamed or whole. */
export async function answer<Chunk>(
  ports: AnswerPorts,
  reply: FastifyReply,
  parsed: ParsedRequest,
  shape: AnswerShape<Chunk>,
): Promise<unknown> {
  const { context, events } = generate(ports, reply, parsed, shape.idPrefix);
  if (!parsed.stream) return shape.whole(context, await collectAnswers(events, context.choices));
  await streamAnswer(reply, shape.chunks(context, events), shape.format ?? DATA_EVENTS, ports.sse);
  return reply;
}
