import type { ChatPrompt, InferenceRequest, SamplingOptions, TextPrompt } from "../../core/inference.js";
import { refuseTooManyChoices } from "./limits.js";

/** What one HTTP request asks for, whichever route it came by. */
export interface ParsedRequest {
  readonly model: string | null;
  readonly inputs: readonly (ChatPrompt | TextPrompt)[];
  readonly choicesPerInput: number;
  readonly sampling: SamplingOptions;
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  /** As in `InferenceRequest`: alternatives plus one, or 0. */
  readonly logprobs: number;
  readonly ignoreEos: boolean;
  readonly cachePrompt: boolean;
  readonly speculation: boolean;
  readonly timeoutSeconds: number | null;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** What is asked for where an API has no fields to say otherwise. */
export const ONE_ANSWER = {
  choicesPerInput: 1,
  logprobs: 0,
  ignoreEos: false,
  cachePrompt: true,
  speculation: true,
  timeoutSeconds: null,
  includeUsage: false,
} as const satisfies Partial<ParsedRequest>;

/** One inference request per choice: the choices of the first prompt, then those of the next. */
export function toInferenceRequests(parsed: ParsedRequest, id: string, model: string): readonly InferenceRequest[] {
  refuseTooManyChoices(parsed.inputs.length, parsed.choicesPerInput);
  return parsed.inputs.flatMap((input, prompt) =>
    Array.from({ length: parsed.choicesPerInput }, (_, nth): InferenceRequest => {
      const choice = prompt * parsed.choicesPerInput + nth;
      return {
        id: choice === 0 ? id : `${id}-${choice}`,
        model,
        input,
        sampling: differently(parsed.sampling, nth),
        stop: parsed.stop,
        logprobs: parsed.logprobs,
        ...(parsed.maxTokens === null ? {} : { maxTokens: parsed.maxTokens }),
        ...(parsed.ignoreEos ? { ignoreEos: true } : {}),
        ...(parsed.cachePrompt ? {} : { cachePrompt: false }),
        ...(parsed.speculation ? {} : { speculation: false }),
        ...(parsed.timeoutSeconds === null ? {} : { timeoutSeconds: parsed.timeoutSeconds }),
      };
    }),
  );
}

/** With one seed for all, `n` answers would be `n` times the same. */
function differently(sampling: SamplingOptions, nth: number): SamplingOptions {
  return sampling.seed === undefined ? sampling : { ...sampling, seed: (sampling.seed + nth) >>> 0 };
}
