import { z } from "zod";
import type { ChatPrompt } from "../../core/inference.js";
import { jsonObject } from "../schema/json-object.js";
import { limitFields, toStops } from "../schema/limits.js";
import { parseBody } from "../schema/parse-body.js";
import { REFUSED_IN_MESSAGES, refuseFields } from "../schema/refused-fields.js";
import { ONE_ANSWER, type ParsedRequest } from "../schema/request.js";
import { samplingFields, toSampling } from "../schema/sampling.js";
import { messagesField, systemField, toChatMessages } from "./content.js";
import { toolFields, toPromptTools } from "./tools.js";

const thinking = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("enabled"), budget_tokens: z.int().min(0).nullish() }),
    z.object({ type: z.literal("adaptive") }),
    z.object({ type: z.literal("disabled") }),
  ],
  { error: 'an object whose "type" is "enabled", "adaptive" or "disabled"' },
);

const format = z.object({ type: z.literal("json_schema"), schema: jsonObject });

/** What makes up the prompt: the same where tokens are only counted. */
const promptFields = {
  model: limitFields.model,
  system: systemField,
  messages: messagesField,
  ...toolFields,
  thinking: thinking.nullish(),
};

const promptSchema = z.object(promptFields);

const messagesSchema = z.object({
  ...promptFields,
  max_tokens: z.int().min(1),
  stop_sequences: limitFields.stop,
  temperature: samplingFields.temperature,
  top_p: samplingFields.top_p,
  top_k: samplingFields.top_k,
  stream: limitFields.stream,
  metadata: jsonObject.nullish(),
  output_config: z.object({ format: format.nullish() }).nullish(),
});

export interface MessagesRequest extends ParsedRequest {
  readonly inputs: readonly [ChatPrompt];
}

/** The body of `POST /v1/messages`. */
export function parseMessages(body: unknown): MessagesRequest {
  refuseFields(REFUSED_IN_MESSAGES, body);
  const parsed = parseBody(messagesSchema, body);
  const answerFormat = parsed.output_config?.format;
  return {
    ...ONE_ANSWER,
    model: parsed.model ?? null,
    inputs: [toPrompt(parsed, body)],
    sampling: toSampling(
      {
        temperature: parsed.temperature,
        top_p: parsed.top_p,
        top_k: parsed.top_k,
        json_schema: answerFormat?.schema,
      },
      "output_config.format.schema",
    ),
    maxTokens: parsed.max_tokens,
    stop: toStops(parsed.stop_sequences),
    stream: parsed.stream ?? false,
  };
}

/** The body of `POST /v1/messages/count_tokens`. */
export function parseCountTokens(body: unknown): { readonly model: string | null; readonly prompt: ChatPrompt } {
  const parsed = parseBody(promptSchema, body);
  return { model: parsed.model ?? null, prompt: toPrompt(parsed, body) };
}

function toPrompt(parsed: z.output<typeof promptSchema>, body: unknown): ChatPrompt {
  const { system, messages, thinking: thought } = parsed;
  return {
    kind: "chat",
    messages: toChatMessages(system, messages, body),
    ...toPromptTools(parsed),
    ...(thought == null ? {} : { enableThinking: thought.type !== "disabled" }),
  };
}
