import { z } from "zod";
import type {
  ChatPrompt,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  Resumption,
  TextPrompt,
  TokenizeRequest,
} from "../core/inference.js";
import type { RequestOrigin } from "../core/trace.js";
import { wellFormedRequestId } from "../core/trace-context.js";

/** `core/inference.ts` as it arrives from a peer: the types there are checked against these by the compiler. */

const count = z.int().nonnegative();
const tokens = z.array(z.int());

const samplingOptions = z.object({
  temperature: z.number().exactOptional(),
  topP: z.number().exactOptional(),
  topK: z.int().exactOptional(),
  minP: z.number().exactOptional(),
  repeatPenalty: z.number().exactOptional(),
  repeatLastN: z.int().exactOptional(),
  frequencyPenalty: z.number().exactOptional(),
  presencePenalty: z.number().exactOptional(),
  seed: z.int().exactOptional(),
  logitBias: z.record(z.string(), z.number()).exactOptional(),
  grammar: z.string().exactOptional(),
  jsonSchema: z.string().exactOptional(),
});

const chatPrompt: z.ZodType<ChatPrompt> = z.object({
  kind: z.literal("chat"),
  messages: z.array(z.looseObject({ role: z.string() })),
  tools: z.array(z.unknown()).exactOptional(),
  toolChoice: z.enum(["auto", "none", "required"]).exactOptional(),
  parallelToolCalls: z.boolean().exactOptional(),
  enableThinking: z.boolean().exactOptional(),
  templateVariables: z.record(z.string(), z.unknown()).exactOptional(),
});

const textPrompt: z.ZodType<TextPrompt> = z.object({
  kind: z.literal("text"),
  prompt: z.union([z.string(), tokens]),
});

const requestOrigin: z.ZodType<RequestOrigin> = z.object({
  requestId: z.string().refine((text) => wellFormedRequestId(text) !== null, "is no request id"),
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  parentId: z.string().regex(/^[0-9a-f]{16}$/),
  traced: z.boolean(),
});

const clientName = z.string().max(64);

/** -Infinity is the logarithm of a probability of 0. */
const logprob = z.number().or(z.literal(Number.NEGATIVE_INFINITY));

const tokenLogprob = z.object({ token: z.int(), text: z.string(), bytes: z.array(z.int()), logprob });
const tokenLogprobs = z.array(tokenLogprob.extend({ top: z.array(tokenLogprob) }));

const resumption: z.ZodType<Resumption> = z.object({
  tokens,
  held: tokenLogprobs.exactOptional(),
  elapsedSeconds: z.number().nonnegative().exactOptional(),
});

export const inferenceRequestSchema: z.ZodType<InferenceRequest> = z.object({
  id: z.string(),
  model: z.string(),
  input: z.union([chatPrompt, textPrompt]),
  sampling: samplingOptions,
  maxTokens: count.exactOptional(),
  stop: z.array(z.string()),
  logprobs: count,
  ignoreEos: z.boolean().exactOptional(),
  cachePrompt: z.boolean().exactOptional(),
  speculation: z.boolean().exactOptional(),
  timeoutSeconds: z.number().positive().exactOptional(),
  origin: requestOrigin.exactOptional(),
  client: clientName.exactOptional(),
  resume: resumption.exactOptional(),
});

export const embedRequestSchema: z.ZodType<EmbedRequest> = z.object({
  id: z.string(),
  model: z.string(),
  inputs: z.array(z.union([z.string(), tokens])),
  normalize: z.boolean(),
  dimensions: z.int().positive().exactOptional(),
  truncate: z.boolean().exactOptional(),
  client: clientName.exactOptional(),
});

const toolCallDelta = z.object({
  index: count,
  id: z.string().exactOptional(),
  name: z.string().exactOptional(),
  arguments: z.string().exactOptional(),
});

export const inferenceEventSchema: z.ZodType<InferenceEvent> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("started"), promptTokens: count, cachedTokens: count }),
  z.object({
    type: z.literal("delta"),
    text: z.string(),
    reasoning: z.string().exactOptional(),
    toolCalls: z.array(toolCallDelta).exactOptional(),
    logprobs: tokenLogprobs.exactOptional(),
    tokens: tokens.exactOptional(),
    held: tokenLogprobs.exactOptional(),
  }),
  z.object({
    type: z.literal("finished"),
    reason: z.enum(["stop", "length", "tool_calls"]),
    stopSequence: z.string().exactOptional(),
    usage: z.object({
      promptTokens: count,
      completionTokens: count,
      cachedTokens: count,
      acceptedDraftTokens: count,
      rejectedDraftTokens: count,
      reasoningTokens: count.exactOptional(),
    }),
    timings: z.object({ queueSeconds: z.number(), prefillSeconds: z.number(), decodeSeconds: z.number() }),
  }),
]);

const tokenizeRequestSchema: z.ZodType<TokenizeRequest> = z.object({
  model: z.string(),
  text: z.string(),
  addSpecial: z.boolean(),
  parseSpecial: z.boolean(),
});

/** The methods of `Node.Call`: what goes in and what comes out. */
export const CALL_METHODS = {
  tokenize: { input: tokenizeRequestSchema, output: tokens },
  detokenize: { input: z.object({ model: z.string(), tokens }), output: z.string() },
  apply_template: { input: z.object({ model: z.string(), prompt: chatPrompt }), output: z.string() },
} as const;

export type CallMethod = keyof typeof CALL_METHODS;
