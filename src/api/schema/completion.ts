import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { TextPrompt } from "../../core/inference.js";
import { limitFields, toMaxTokens } from "./limits.js";
import { parseBody, wrongField } from "./parse-body.js";
import { REFUSED_IN_COMPLETION, refuseFields } from "./refused-fields.js";
import type { ParsedRequest } from "./request.js";
import { toRequest } from "./request-fields.js";
import { samplingFields, toSampling } from "./sampling.js";
import { isTokenId } from "./token-id.js";

export const completionSchema = z.object({
  ...limitFields,
  ...samplingFields,
  logprobs: z.int().min(0).max(20).nullish(),
  echo: z.boolean().nullish(),
});

export interface ParsedCompletion extends ParsedRequest {
  readonly inputs: readonly TextPrompt[];
  /** Answers begin with their prompt. */
  readonly echo: boolean;
}

export function parseCompletion(body: unknown): ParsedCompletion {
  refuseFields(REFUSED_IN_COMPLETION, body);
  const parsed = parseBody(completionSchema, body);
  const wantsLogprobs = typeof parsed.logprobs === "number";
  const echo = parsed.echo ?? false;
  if (echo && wantsLogprobs) {
    const message = "echo is not supported together with logprobs: those of prompt tokens are not computed.";
    throw new ExoError("unsupported", message, { param: "echo" });
  }
  return {
    ...toRequest(parsed),
    inputs: parsePrompts(body),
    sampling: toSampling(parsed),
    maxTokens: toMaxTokens(parsed.n_predict ?? parsed.max_tokens),
    logprobs: wantsLogprobs ? (parsed.logprobs ?? 0) + 1 : 0,
    echo,
  };
}

/** Text, several texts, token ids, or several arrays of token ids: read by hand, for such arrays are long. */
function parsePrompts(body: unknown): readonly TextPrompt[] {
  const value: unknown = typeof body === "object" && body !== null ? Reflect.get(body, "prompt") : undefined;
  if (typeof value === "string") return [{ kind: "text", prompt: value }];
  if (Array.isArray(value) && value.length > 0) {
    if (typeof value[0] === "number") return [{ kind: "text", prompt: tokenIds(value, ["prompt"], body) }];
    return value.map((item: unknown, index) => parsePrompt(item, index, body));
  }
  throw wrongField(["prompt"], "a string, an array of strings, or token ids", body);
}

function parsePrompt(item: unknown, index: number, body: unknown): TextPrompt {
  if (typeof item === "string") return { kind: "text", prompt: item };
  if (Array.isArray(item) && item.length > 0) return { kind: "text", prompt: tokenIds(item, ["prompt", index], body) };
  throw wrongField(["prompt", index], "a string or an array of token ids", body);
}

function tokenIds(items: readonly unknown[], path: readonly PropertyKey[], body: unknown): readonly number[] {
  const wrong = items.findIndex((item) => !isTokenId(item));
  if (wrong >= 0) throw wrongField([...path, wrong], "a token id", body);
  return items.filter(isTokenId);
}
