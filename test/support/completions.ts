import assert from "node:assert/strict";
import { z } from "zod";
import type { NodeProcess } from "./node-process.js";

const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        text: z.string(),
        finish_reason: z.string(),
        logprobs: z
          .object({
            tokens: z.array(z.string()),
            token_logprobs: z.array(z.number()),
            top_logprobs: z.array(z.record(z.string(), z.number())),
          })
          .nullish(),
      }),
    )
    .length(1),
  usage: z.object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }),
    completion_tokens_details: z.object({
      accepted_prediction_tokens: z.int(),
      rejected_prediction_tokens: z.int(),
    }),
  }),
});

/** One answer of `/v1/completions`, with the log-probabilities that it was chosen by. */
export interface Completion {
  readonly text: string;
  readonly finishReason: string;
  readonly tokens: readonly string[];
  /** Of the best few tokens at each place, by their text. */
  readonly top: readonly Readonly<Record<string, number>>[];
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly acceptedDraftTokens: number;
  readonly rejectedDraftTokens: number;
}

export function post(node: NodeProcess, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(`${node.http}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

export async function complete(node: NodeProcess, body: object, signal?: AbortSignal): Promise<Completion> {
  const response = await post(node, "/v1/completions", { logprobs: 5, ...body }, signal);
  const answer: unknown = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  const { choices, usage } = completionSchema.parse(answer);
  const [choice] = choices;
  assert.ok(choice !== undefined);
  return {
    text: choice.text,
    finishReason: choice.finish_reason,
    tokens: choice.logprobs?.tokens ?? [],
    top: choice.logprobs?.top_logprobs ?? [],
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    acceptedDraftTokens: usage.completion_tokens_details.accepted_prediction_tokens,
    rejectedDraftTokens: usage.completion_tokens_details.rejected_prediction_tokens,
  };
}

/** Bytes of a character that is not whole yet: several tokens share this text. */
const REPLACEMENT = "\uFFFD";

/**
 * What the last bits of f16 and f32 kernels make of a log-probability (natural logarithm), also of an unlikely token, when
 * a row is computed with other rows beside it: seen up to 0.02.
 */
const BATCH_TOLERANCE = 0.05;

/**
 * Holds two runs of a request together: the same probabilities within `BATCH_TOLERANCE` at every place, as far
 * as both went the same way. Where they part, the probabilities there are equal too, so the choice was a close one.
 * Returns how many places were compared.
 */
export function assertSameAnswer(actual: Completion, expected: Completion, what: string): number {
  const length = Math.min(actual.top.length, expected.top.length);
  for (let at = 0; at < length; at += 1) {
    const [here, there] = [actual.top[at] ?? {}, expected.top[at] ?? {}];
    for (const [token, logprob] of Object.entries(here)) {
      const other = there[token];
      if (other === undefined || token.includes(REPLACEMENT)) continue;
      const error = Math.abs(logprob - other);
      assert.ok(
        error <= BATCH_TOLERANCE,
        `${what}: token ${at} ${JSON.stringify(token)} has ${logprob} instead of ${other}`,
      );
    }
    if (actual.tokens[at] !== expected.tokens[at]) return at + 1;
  }
  assert.equal(actual.text, expected.text, what);
  assert.equal(actual.finishReason, expected.finishReason, what);
  return length;
}
