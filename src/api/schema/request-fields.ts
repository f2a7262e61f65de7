import { z } from "zod";
import { limitFields, toStops } from "./limits.js";
import type { ParsedRequest } from "./request.js";
import { samplingFields } from "./sampling.js";

const { model, n, stop, timeout, stream, stream_options } = limitFields;
const { ignore_eos, cache_prompt, speculation } = samplingFields;
const commonSchema = z.object({
  model,
  n,
  stop,
  timeout,
  stream,
  stream_options,
  ignore_eos,
  cache_prompt,
  speculation,
});

/** The part of a request that every OpenAI route reads alike. */
export function toRequest(
  body: z.output<typeof commonSchema>,
): Omit<ParsedRequest, "inputs" | "sampling" | "maxTokens" | "logprobs"> {
  return {
    model: body.model ?? null,
    choicesPerInput: body.n ?? 1,
    stop: toStops(body.stop),
    ignoreEos: body.ignore_eos ?? false,
    cachePrompt: body.cache_prompt ?? true,
    speculation: body.speculation ?? true,
    timeoutSeconds: body.timeout ?? null,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
  };
}
