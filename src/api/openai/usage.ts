import type { Timings, Usage } from "../../core/inference.js";
import type { AnswerContext } from "./answer.js";

/** OpenAI's `usage` over all choices, in order of choice; a prompt with several choices counts once. */
export function usageJson(usages: readonly Usage[], choicesPerInput: number) {
  const prompts = usages.filter((_, choice) => choice % choicesPerInput === 0);
  const promptTokens = sum(prompts.map((usage) => usage.promptTokens));
  const completionTokens = sum(usages.map((usage) => usage.completionTokens));
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum(prompts.map((usage) => usage.cachedTokens)) },
    completion_tokens_details: {
      reasoning_tokens: sum(usages.map((usage) => usage.reasoningTokens ?? 0)),
      accepted_prediction_tokens: sum(usages.map((usage) => usage.acceptedDraftTokens)),
      rejected_prediction_tokens: sum(usages.map((usage) => usage.rejectedDraftTokens)),
    },
  };
}

/** llama-server's `timings`, and the time in the queue. */
export function timingsJson(usage: Usage, timings: Timings) {
  const prompt = usage.promptTokens - usage.cachedTokens;
  const predicted = usage.completionTokens;
  return {
    cache_n: usage.cachedTokens,
    prompt_n: prompt,
    prompt_ms: timings.prefillSeconds * 1000,
    prompt_per_token_ms: rate(timings.prefillSeconds * 1000, prompt),
    prompt_per_second: rate(prompt, timings.prefillSeconds),
    predicted_n: predicted,
    predicted_ms: timings.decodeSeconds * 1000,
    predicted_per_token_ms: rate(timings.decodeSeconds * 1000, predicted),
    predicted_per_second: rate(predicted, timings.decodeSeconds),
    queue_ms: timings.queueSeconds * 1000,
  };
}

/** The last chunk of a stream whose client asked for usage. */
export function usageChunk(context: AnswerContext, object: string, usages: readonly Usage[]) {
  return { ...envelope(context, object), choices: [], usage: usageJson(usages, context.choicesPerInput) };
}

export function envelope(context: AnswerContext, object: string) {
  return {
    id: context.id,
    object,
    created: context.created,
    model: context.model,
    system_fingerprint: context.systemFingerprint,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** 0 rather than infinity, which JSON cannot say. */
function rate(amount: number, per: number): number {
  return per > 0 ? amount / per : 0;
}
