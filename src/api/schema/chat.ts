import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatPrompt } from "../../core/inference.js";
import { jsonObject } from "./json-object.js";
import { limitFields, toMaxTokens, toStops } from "./limits.js";
import { messagesField, toMessages } from "./messages.js";
import { parseBody } from "./parse-body.js";
import { REFUSED_IN_CHAT, REFUSED_IN_TEMPLATE, refuseFields } from "./refused-fields.js";
import type { ParsedRequest } from "./request.js";
import { samplingFields, toSampling } from "./sampling.js";
import { toolFields, toTools } from "./tools.js";

/** Fields that shape the prompt: the same in `/v1/chat/completions` and `/apply-template`. */
const promptFields = {
  messages: messagesField,
  ...toolFields,
  reasoning_effort: z.string().nullish(),
  chat_template_kwargs: jsonObject.nullish(),
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
  if (input.tools !== undefined && input.toolChoice !== "none" && sampling.grammar !== undefined) {
    const message = "A grammar cannot be used together with tools, whose calls have a grammar of their own.";
    throw new ExoError("invalid_argument", message, { param: "grammar" });
  }
  return {
    model: parsed.model ?? null,
    inputs: [input],
    choicesPerInput: parsed.n ?? 1,
    sampling,
    maxTokens: toMaxTokens(parsed.max_completion_tokens ?? parsed.max_tokens),
    stop: toStops(parsed.stop),
    logprobs: chatLogprobs(parsed),
    ignoreEos: parsed.ignore_eos ?? false,
    cachePrompt: parsed.cache_prompt ?? true,
    speculation: parsed.speculation ?? true,
    timeoutSeconds: parsed.timeout ?? null,
    stream: parsed.stream ?? false,
    includeUsage: parsed.stream_options?.include_usage ?? false,
  };
}

export function parseTemplate(body: unknown): { readonly model: string | null; readonly prompt: ChatPrompt } {
  refuseFields(REFUSED_IN_TEMPLATE, body);
  const parsed = parseBody(templateSchema, body);
  return { model: parsed.model ?? null, prompt: toPrompt(parsed, body) };
}

function toPrompt(parsed: z.output<typeof templateSchema>, body: unknown): ChatPrompt {
  const thinking = enableThinking(parsed);
  return {
    kind: "chat",
    messages: toMessages(parsed.messages, body),
    ...toTools(parsed),
    ...(thinking === null ? {} : { enableThinking: thinking }),
  };
}

function enableThinking(parsed: z.output<typeof templateSchema>): boolean | null {
  const { enable_thinking: flag, ...others } = parsed.chat_template_kwargs ?? {};
  const other = Object.keys(others)[0];
  if (other !== undefined) {
    const param = `chat_template_kwargs.${other.slice(0, 80)}`;
    throw new ExoError("unsupported", `The field ${param} is not supported; only enable_thinking is.`, { param });
  }
  if (flag !== undefined && typeof flag !== "boolean") {
    throw new ExoError("invalid_argument", "Expected true or false for chat_template_kwargs.enable_thinking.", {
      param: "chat_template_kwargs.enable_thinking",
    });
  }
  const effort = parsed.reasoning_effort ?? null;
  return flag ?? (effort === null ? null : effort !== "none");
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
