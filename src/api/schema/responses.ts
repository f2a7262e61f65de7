import { z } from "zod";
import type { ChatPrompt } from "../../core/inference.js";
import { refuseGrammarWithTools } from "./chat.js";
import { type JsonObject, jsonObject } from "./json-object.js";
import { limitFields, toMaxTokens } from "./limits.js";
import { list } from "./list.js";
import { parseBody } from "./parse-body.js";
import { REFUSED_IN_RESPONSES, refuseFields } from "./refused-fields.js";
import type { ParsedRequest } from "./request.js";
import { toRequest } from "./request-fields.js";
import { inputField, toConversation } from "./response-input.js";
import { responseToolFields, toResponseTools } from "./response-tools.js";
import { samplingFields, toSampling } from "./sampling.js";
import { templateFields, toTemplateOptions } from "./template.js";

const { model, stop, timeout, stream, max_tokens: tokenLimit } = limitFields;
const { response_format: _format, json_schema: _schema, ...sampling } = samplingFields;

const textFormat = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object") }),
    z.looseObject({ type: z.literal("json_schema"), schema: jsonObject, strict: z.boolean().nullish() }),
  ],
  { error: '"text", "json_object" or "json_schema"' },
);
type TextFormat = z.output<typeof textFormat>;

export const responsesSchema = z.object({
  ...sampling,
  ...responseToolFields,
  model,
  stop,
  timeout,
  stream,
  input: inputField,
  instructions: z.string().nullish(),
  max_output_tokens: tokenLimit,
  top_logprobs: z.int().min(0).max(20).nullish(),
  include: list(z.string(), { min: 0, max: 100 }).nullish(),
  text: z.object({ format: textFormat.nullish(), verbosity: z.string().nullish() }).nullish(),
  reasoning: z.object({ effort: z.string().nullish(), summary: z.string().nullish() }).nullish(),
  chat_template_kwargs: templateFields.chat_template_kwargs,
  metadata: jsonObject.nullish(),
  user: z.string().nullish(),
});
type ResponsesBody = z.output<typeof responsesSchema>;

/** What an answer repeats of its request. */
export interface ResponseEcho {
  readonly instructions: string | null;
  readonly maxOutputTokens: number | null;
  readonly metadata: JsonObject;
  readonly parallelToolCalls: boolean;
  readonly reasoning: { readonly effort: string | null; readonly summary: string | null };
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly topLogprobs: number;
  readonly text: { readonly format: TextFormat; readonly verbosity?: string };
  readonly toolChoice: unknown;
  readonly tools: readonly unknown[];
  readonly user: string | null;
}

export interface ParsedResponses extends ParsedRequest {
  readonly inputs: readonly [ChatPrompt];
  readonly echo: ResponseEcho;
}

/** The body of `POST /v1/responses`. `store` may be anything: nothing is kept, and the answer says so. */
export function parseResponses(body: unknown): ParsedResponses {
  refuseFields(REFUSED_IN_RESPONSES, body);
  const parsed = parseBody(responsesSchema, body);
  const input = toPrompt(parsed, body);
  const options = toSampling(
    { ...parsed, response_format: toResponseFormat(parsed.text?.format) },
    "text.format.schema",
  );
  refuseGrammarWithTools(input, options);
  return {
    ...toRequest(parsed),
    inputs: [input],
    sampling: options,
    maxTokens: toMaxTokens(parsed.max_output_tokens),
    logprobs: wantsLogprobs(parsed) ? (parsed.top_logprobs ?? 0) + 1 : 0,
    echo: toEcho(parsed),
  };
}

function toPrompt(parsed: ResponsesBody, body: unknown): ChatPrompt {
  return {
    kind: "chat",
    messages: toConversation(parsed.input, parsed.instructions ?? null, body),
    ...toResponseTools(parsed, body),
    ...toTemplateOptions({ ...parsed, reasoning_effort: parsed.reasoning?.effort }),
  };
}

function toResponseFormat(format: TextFormat | null | undefined) {
  if (format?.type !== "json_schema") return format;
  return { type: "json_schema" as const, json_schema: { schema: format.schema, strict: format.strict } };
}

function wantsLogprobs({ include, top_logprobs: alternatives }: ResponsesBody): boolean {
  return (alternatives ?? 0) > 0 || (include ?? []).includes("message.output_text.logprobs");
}

function toEcho(parsed: ResponsesBody): ResponseEcho {
  const { effort, summary } = parsed.reasoning ?? {};
  const verbosity = parsed.text?.verbosity ?? null;
  return {
    instructions: parsed.instructions ?? null,
    maxOutputTokens: parsed.max_output_tokens ?? null,
    metadata: parsed.metadata ?? {},
    parallelToolCalls: parsed.parallel_tool_calls ?? true,
    reasoning: { effort: effort ?? null, summary: summary ?? null },
    temperature: parsed.temperature ?? null,
    topP: parsed.top_p ?? null,
    topLogprobs: parsed.top_logprobs ?? 0,
    text: { format: parsed.text?.format ?? { type: "text" }, ...(verbosity === null ? {} : { verbosity }) },
    toolChoice: parsed.tool_choice ?? "auto",
    tools: parsed.tools ?? [],
    user: parsed.user ?? null,
  };
}
