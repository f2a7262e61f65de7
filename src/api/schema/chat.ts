import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatPrompt, SamplingOptions } from "../../core/inference.js";
import { limitFields, toMaxTokens } from "./limits.js";
import { messagesField, toMessages } from "./messages.js";
import { parseBody } from "./parse-body.js";
import { REFUSED_IN_CHAT, REFUSED_IN_TEMPLATE, refuseFields } from "./refused-fields.js";
import type { ParsedRequest } from "./request.js";
import { toRequest } from "./request-fields.js";
import { samplingFields, toSampling } from "./sampling.js";
import { templateFields, toTemplateOptions } from "./template.js";
import { toolFields, toTools } from "./tools.js";

/** Fields that shape the prompt: the same in `/v1/chat/completions` and `/apply-template`. */
const promptFields = {
  messages: messagesField,
  ...toolFields,
  ...templateFields,
};

export const chatSchema = z.object({
  ...limitFields,
  ...samplingFields,
  ...promptFields,
  max_completion_tokens: limitFields.max_tokens,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
});
type ChatBody = z.output<typeof chatSchema>;

const templateSchema = z.object({ model: limitFields.model, ...promptFields });

export function parseChat(body: unknown): ParsedRequest {
  refuseFields(REFUSED_IN_CHAT, body);
  const parsed = parseBody(chatSchema, body);
  const input = toPrompt(parsed, body);
  const sampling = toSampling(parsed);
  refuseGrammarWithTools(input, sampling);
  return {
    ...toRequest(parsed),
    inputs: [input],
    sampling,
    maxTokens: toMaxTokens(parsed.n_predict ?? parsed.max_completion_tokens ?? parsed.max_tokens),
    logprobs: chatLogprobs(parsed),
  };
}

export function parseTemplate(body: unknown): { readonly model: string | null; readonly prompt: ChatPrompt } {
  refuseFields(REFUSED_IN_TEMPLATE, body);
  const parsed = parseBody(templateSchema, body);
  return { model: parsed.model ?? null, prompt: toPrompt(parsed, body) };
}

export function refuseGrammarWithTools({ tools, toolChoice }: ChatPrompt, { grammar }: SamplingOptions): void {
  if (tools === undefined || toolChoice === "none" || grammar === undefined) return;
  const message = "A grammar cannot be used together with tools, whose calls have a grammar of their own.";
  throw new ExoError("invalid_argument", message, { param: "grammar" });
}

function toPrompt(parsed: z.output<typeof templateSchema>, body: unknown): ChatPrompt {
  return {
    kind: "chat",
    messages: toMessages(parsed.messages, body),
    ...toTools(parsed),
    ...toTemplateOptions(parsed),
  };
}

function chatLogprobs(body: ChatBody): number {
  const wanted = body.logprobs ?? false;
  const alternatives = body.top_logprobs ?? 0;
  if (!wanted && alternatives > 0) {
    const message = "top_logprobs needs logprobs to be true.";
    throw new ExoError("invalid_argument", message, { param: "top_logprobs" });
  }
  return wanted ? alternatives + 1 : 0;
}
