import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { SamplingOptions } from "../../core/inference.js";
import { checkMeaning, type SchemaUse } from "../../native/schema/check-schema.js";
import { present } from "../present.js";
import { jsonObject } from "./json-object.js";
import { table } from "./list.js";

/** What llama.cpp counts tokens with. */
const MOST_TOKEN_ID = 2 ** 31 - 1;
const tokenId = {
  accepts: (key: string) => /^\d{1,10}$/.test(key) && Number(key) <= MOST_TOKEN_ID,
  expected: "token ids as keys",
};

const responseFormat = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object"), schema: jsonObject.nullish() }),
    z.object({
      type: z.literal("json_schema"),
      json_schema: z.object({ schema: jsonObject, strict: z.boolean().nullish() }),
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
  /** Of any size: OpenAI's clients send 64 bits, which JavaScript rounds. */
  seed: z
    .number()
    .refine((value) => Number.isInteger(value), { error: "a whole number" })
    .nullish(),
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

/** @param schemaParam the field that holds the schema of the answer, where the API calls it otherwise */
export function toSampling(body: SamplingFields, schemaParam?: string): SamplingOptions {
  const found = answerSchema(body);
  if (found !== null) checkMeaning(found.schema, { ...found, param: schemaParam ?? found.param });
  const jsonSchema = found?.schema ?? null;
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

/** Samplers take 32 bits, which is what `>>>` leaves of any number; llama.cpp's clients send -1 for "any". */
function seedOf(seed: number | null | undefined): number | null {
  return typeof seed === "number" && seed !== -1 ? seed >>> 0 : null;
}

function answerSchema(body: SamplingFields): (SchemaUse & { readonly schema: object }) | null {
  const format = body.response_format;
  const param = "response_format";
  if (format?.type === "json_schema") {
    const { schema, strict } = format.json_schema;
    return { schema, param, strict: strict === true };
  }
  if (format?.type === "json_object") return { schema: format.schema ?? { type: "object" }, param, strict: false };
  const schema = body.json_schema ?? null;
  return schema === null ? null : { schema, param: "json_schema", strict: false };
}
