import { ScheduledRun } from "./scheduled-run.js";
import type { RingSpec } from "./stage-cost.js";

export interface MeasureSettings {
  readonly ubatch: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Tokens before an answer whose speed is measured. */
  readonly shortPrompt: number;
}

/** Tokens per second, and what the stages did meanwhile. */
export interface Speed {
  readonly tokensPerSecond: number;
  readonly utilisation: readonly number[];
}

export interface PromptSpeed extends Speed {
  readonly firstSeconds: number;
}

export async function prefillSpeed(ring: RingSpec, settings: MeasureSettings): Promise<PromptSpeed> {
  const { promptTokens, ubatch } = settings;
  const run = new ScheduledRun(ring, { ubatch, slots: 1, contextSize: promptTokens + 1 });
  const { answers, utilisation } = await run.answer([{ promptTokens, answerTokens: 1 }]);
  const firstSeconds = (answers[0]?.first ?? Number.NaN) - (answers[0]?.sent ?? 0);
  return { firstSeconds, tokensPerSecond: promptTokens / firstSeconds, utilisation };
}

/** Of one stream, after its first token. */
export async function decodeSpeed(ring: RingSpec, settings: MeasureSettings): Promise<Speed> {
  const { shortPrompt, answerTokens, ubatch } = settings;
  const run = new ScheduledRun(ring, { ubatch, slots: 1, contextSize: shortPrompt + answerTokens + 1 });
  const { answers, utilisation } = await run.answer([{ promptTokens: shortPrompt, answerTokens: answerTokens + 1 }]);
  const [answer] = answers;
  return { tokensPerSecond: answerTokens / ((answer?.last ?? Number.NaN) - (answer?.first ?? 0)), utilisation };
}

/**
 * Of several streams at once, prompts included; as in the benchmark the first token of each belongs to its prompt, and so
 * many more count. Measured when the scheduler has had one such load to learn from.
 */
export async function streamsSpeed(ring: RingSpec, streams: number, settings: MeasureSettings): Promise<Speed> {
  const { shortPrompt, answerTokens, ubatch } = settings;
  const contextSize = shortPrompt + answerTokens + 1;
  const run = new ScheduledRun(ring, { ubatch, slots: streams, contextSize });
  const requests = Array.from({ length: streams }, () => ({
    promptTokens: shortPrompt,
    answerTokens: answerTokens + 1,
  }));
  await run.answer(requests);
  const { seconds, utilisation } = await run.answer(requests);
  return { tokensPerSecond: (streams * answerTokens) / seconds, utilisation };
}
