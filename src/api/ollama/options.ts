import { z } from "zod";
import { parseKeepAlive } from "../../config/duration.js";
import type { SamplingOptions } from "../../core/inference.js";
import { jsonObject } from "../schema/json-object.js";
import { limitFields, toMaxTokens, toStops } from "../schema/limits.js";
import { wrongField } from "../schema/parse-body.js";
import { REFUSED_IN_OLLAMA_OPTIONS, refuseFields } from "../schema/refused-fields.js";
import { ONE_ANSWER, type ParsedRequest } from "../schema/request.js";
import { samplingFields, toSampling } from "../schema/sampling.js";
import { toTemplateOptions } from "../schema/template.js";
import { nameFields, nameOf, plainName } from "./names.js";

const { temperature, top_k, top_p, min_p, seed } = samplingFields;
const { repeat_penalty, repeat_last_n, presence_penalty, frequency_penalty } = samplingFields;

const options = z.object({
  ...{ temperature, top_k, top_p, min_p, seed },
  ...{ repeat_penalty, repeat_last_n, presence_penalty, frequency_penalty },
  /** 0 and below: no limit. */
  num_predict: z.int().nullish(),
  stop: limitFields.stop,
  num_ctx: z.int().min(1).nullish(),
});

const THINKING = 'true, false, "low", "medium" or "high"';

/** What chat and generate have in common. */
export const commonFields = {
  ...nameFields,
  stream: z.boolean().nullish(),
  format: z.union([z.enum(["", "json"]), jsonObject], { error: '"json" or a JSON schema' }).nullish(),
  think: z.union([z.boolean(), z.enum(["", "low", "medium", "high", "max"])], { error: THINKING }).nullish(),
  keep_alive: z.union([z.string(), z.number()], { error: 'seconds or a time such as "5m"' }).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  options: options.nullish(),
};

const commonSchema = z.object(commonFields);
type Common = z.output<typeof commonSchema>;
type Wished = z.output<typeof options>;

/** What a request says beside its prompt. */
export interface OllamaSettings {
  /** As the client wrote it, and reads it again in the answer. */
  readonly name: string;
  readonly model: string;
  readonly stream: boolean;
  /** `Infinity`: for ever; `null`: nothing was said. */
  readonly keepAliveSeconds: number | null;
  /** Tokens of context that the client would like; `null`: nothing was said. */
  readonly contextSize: number | null;
  /** How the model is to think; empty: as its template does. */
  readonly thinking: ReturnType<typeof toTemplateOptions>;
  readonly request: Omit<ParsedRequest, "inputs">;
}

export function toSettings(parsed: Common, body: unknown): OllamaSettings {
  const wished: Wished = parsed.options ?? {};
  refuseFields(REFUSED_IN_OLLAMA_OPTIONS, optionsOf(body));
  const name = nameOf(parsed, body);
  const stream = parsed.stream ?? true;
  return {
    name,
    model: plainName(name),
    stream,
    keepAliveSeconds: keepAliveOf(parsed.keep_alive, body),
    contextSize: wished.num_ctx ?? null,
    thinking: thinkingOf(parsed.think),
    request: {
      ...ONE_ANSWER,
      model: plainName(name),
      sampling: samplingOf(parsed),
      maxTokens: toMaxTokens(wished.num_predict),
      stop: toStops(wished.stop),
      logprobs: parsed.logprobs === true ? (parsed.top_logprobs ?? 0) + 1 : 0,
      stream,
    },
  };
}

function optionsOf(body: unknown): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, "options") : undefined;
}

function samplingOf({ options: wished, format }: Common): SamplingOptions {
  if (format === "json") return toSampling({ ...wished, response_format: { type: "json_object" } });
  return toSampling({ ...wished, json_schema: typeof format === "string" ? null : format }, "format");
}

function thinkingOf(think: Common["think"]): OllamaSettings["thinking"] {
  if (typeof think === "boolean") return toTemplateOptions({ chat_template_kwargs: { enable_thinking: think } });
  return toTemplateOptions({ reasoning_effort: think || null });
}

export function keepAliveOf(value: string | number | null | undefined, body: unknown): number | null {
  if (value == null || value === "") return null;
  const seconds = parseKeepAlive(String(value));
  if (seconds === null) throw wrongField(["keep_alive"], 'seconds or a time such as "5m"', body);
  return seconds;
}
