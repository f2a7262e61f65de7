import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { SamplingOptions } from "../../core/inference.js";
import { present } from "../present.js";
import { jsonObject } from "./json-object.js";
import { table } from "./list.js";

const tokenId = { pattern: /^\d{1,10}$/, expected: "token ids as keys" };

const responseFormat = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object"), schema: jsonObject.nullish() }),
    z.object({
      type: z.literal("json_schema"),
      json_schema: z.object({ schema: jsonObject }),
    }),
  ],
  { error: 'an object whose "type" is "text", "json_object" or "json_schema"' },
);

/** What the sampler takes. */
const repeatPenalty = z.number().min(0.01).max(100);

/** How the next token is chosen and what the answer may look like: the same fields in every OpenAI route. */
export const samplingFields = {
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  /** llama.cpp: 0 and below keep all. */
  top_k: z.int().min(-1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repeat_penalty: repeatPenalty.nullish(),
  /** The name that vLLM and Hugging Face use for `repeat_penalty`. */
  repetition_penalty: repeatPenalty.nullish(),
  repeat_last_n: z.int().min(-1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.int().nullish(),
  logit_bias: table(tokenId, z.number().min(-100).max(100)).nullish(),
  ignore_eos: z.boolean().nullish(),
  cache_prompt: z.boolean().nullish(),
  speculation: z.boolean().nullish(),
  grammar: z.string().nullish(),
  json_schema: jsonObject.nullish(),
  response_format: responseFormat.nullish(),
};

const samplingSchema = z.object(samplingFields);
export type SamplingFields = z.output<typeof samplingSchema>;

export function toSampling(body: SamplingFields): SamplingOptions {
  const jsonSchema = answerSchema(body);
  const grammar = body.grammar === "" ? null : body.grammar;
  if (jsonSchema !== null && typeof grammar === "string") {
    const message = "An answer can follow a grammar or a JSON schema, not both; leave out grammar or response_format.";
    throw new ExoError("invalid_argument", message, { param: "grammar" });
  }
  return present({
    temperature: body.temperature,
    topP: body.top_p,
    topK: typeof body.top_k === "number" ? Math.max(0, body.top_k) : null,
    minP: body.min_p,
    repeatPenalty: body.repeat_penalty ?? body.repetition_penalty,
    repeatLastN: body.repeat_last_n,
    frequencyPenalty: body.frequency_penalty,
    presencePenalty: body.presence_penalty,
    seed: seedOf(body.seed),
    logitBias: body.logit_bias,
    grammar,
    jsonSchema: jsonSchema === null ? null : JSON.stringify(jsonSchema),
  });
}

/** Samplers take 32 bits; llama.cpp's clients send -1 for "any". */
function seedOf(seed: number | null | undefined): number | null {
  return typeof seed === "number" && seed !== -1 ? seed >>> 0 : null;
}

function answerSchema(body: SamplingFields): object | null {
  const format = body.response_format;
  if (format?.type === "json_schema") return format.json_schema.schema;
  if (format?.type === "json_object") return format.schema ?? { type: "object" };
  return body.json_schema ?? null;
}
