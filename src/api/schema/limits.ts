import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { list } from "./list.js";

/** Answers that one request may ask for, over all its prompts. */
const MAX_CHOICES = 128;

/** Stop strings of a request. */
const MAX_STOPS = 16;

/** -1 is how llama.cpp's clients say "no limit". */
const tokenLimit = z
  .int()
  .refine((value) => value >= 1 || value === -1, { error: "a whole number of at least 1, or -1 for no limit," });

/** Fields that say how much to answer and in which form. */
export const limitFields = {
  model: z.string().nullish(),
  max_tokens: tokenLimit.nullish(),
  /** llama-server's name, which counts more there, too. */
  n_predict: tokenLimit.nullish(),
  n: z.int().min(1).max(16).nullish(),
  stop: z
    .union([z.string(), list(z.string(), { min: 0, max: MAX_STOPS })], {
      error: `a string or an array of at most ${MAX_STOPS} strings`,
    })
    .nullish(),
  /** Seconds, as LiteLLM's proxy takes it. */
  timeout: z.number().positive().max(86_400).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
};

export function toMaxTokens(limit: number | null | undefined): number | null {
  return typeof limit === "number" && limit >= 1 ? limit : null;
}

export function toStops(stop: string | readonly string[] | null | undefined): readonly string[] {
  return [stop ?? []].flat().filter((text) => text !== "");
}

export function refuseTooManyChoices(prompts: number, each: number): void {
  if (prompts * each <= MAX_CHOICES) return;
  throw new ExoError(
    "invalid_argument",
    `The request asks for ${prompts * each} answers (${prompts} prompts, ${each} each); at most ${MAX_CHOICES} are given at once.`,
    { param: prompts > 1 ? "prompt" : "n" },
  );
}
