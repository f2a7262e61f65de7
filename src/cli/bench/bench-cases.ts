import type { NodeClient } from "../node-client/node-client.js";
import { type MeasuredAnswer, measureAnswer } from "./measured-answer.js";
import type { PromptMaker } from "./prompt-maker.js";

/** What one run of a case found. Seconds, and tokens per second. */
export type BenchSample =
  | {
      readonly kind: "prompt";
      readonly tokens: number;
      readonly tokensPerSecond: number;
      readonly firstSeconds: number;
    }
  | { readonly kind: "decode"; readonly tokensPerSecond: number; readonly gaps: readonly number[] }
  | {
      readonly kind: "repeat";
      readonly tokens: number;
      readonly cachedTokens: number;
      readonly coldSeconds: number;
      readonly warmSeconds: number;
    }
  | { readonly kind: "streams"; readonly streams: number; readonly tokensPerSecond: number };

/** One thing to measure, repeatable. */
export interface BenchCase {
  /** A noun, for progress and failures. */
  readonly label: string;
  /** Milliseconds that it will take, judged by what was measured; 0 when nothing tells. */
  expectedMs(samples: readonly BenchSample[]): number;
  run(signal: AbortSignal): Promise<BenchSample>;
}

export interface BenchSetting {
  readonly client: Pick<NodeClient, "complete">;
  readonly prompts: Pick<PromptMaker, "make">;
  readonly model: string;
  /** Tokens per slot. */
  readonly contextSize: number;
  readonly slots: number;
  /** Milliseconds since some fixed point. */
  readonly now: () => number;
}

const PROMPT_SIZES = [128, 512, 2048];
const STREAM_COUNTS = [1, 2, 4, 8];
/** Before a decoded answer: a question of a sentence or two. */
const SHORT_PROMPT = 32;
const ANSWER_TOKENS = 64;
/** Prompt whose repetition is timed. */
const REPEATED_PROMPT = 512;

/** Every case that the context and the slots allow, what tells most first. */
export function benchCases(setting: BenchSetting): readonly BenchCase[] {
  const { contextSize, slots } = setting;
  const room = contextSize - 1;
  const answerTokens = Math.max(2, Math.min(ANSWER_TOKENS, Math.floor(contextSize / 2)));
  const shortPrompt = Math.max(1, Math.min(SHORT_PROMPT, contextSize - answerTokens));
  const sizes = PROMPT_SIZES.filter((tokens) => tokens <= room);
  const [smallest = room, ...larger] = sizes;
  return [
    promptCase(setting, smallest),
    decodeCase(setting, shortPrompt, answerTokens),
    ...STREAM_COUNTS.filter((streams) => streams <= slots).map((streams) =>
      streamsCase(setting, streams, shortPrompt, answerTokens),
    ),
    repeatCase(setting, Math.min(REPEATED_PROMPT, room)),
    ...larger.map((tokens) => promptCase(setting, tokens)),
  ];
}

/** Unmeasured: the first answer after loading pays for pages that are read and memory that is touched. */
export async function warmUp(setting: BenchSetting, signal: AbortSignal): Promise<void> {
  const tokens = Math.max(1, Math.min(SHORT_PROMPT, setting.contextSize - 4));
  await answer(setting, { prompt: await setting.prompts.make(tokens, signal), max_tokens: 4 }, signal);
}

function answer(
  { client, model, now }: BenchSetting,
  fields: { readonly prompt: readonly number[]; readonly [field: string]: unknown },
  signal: AbortSignal,
): Promise<MeasuredAnswer> {
  return measureAnswer(client, { ...fields, model }, now, signal);
}

function promptCase(setting: BenchSetting, tokens: number): BenchCase {
  return {
    label: `the speed of a prompt of ${tokens} tokens`,
    expectedMs: (samples) => promptMs(samples, tokens),
    run: async (signal) => {
      const prompt = await setting.prompts.make(tokens, signal);
      const { promptTokens, prefillSeconds, firstSeconds } = await answer(setting, { prompt, max_tokens: 1 }, signal);
      return { kind: "prompt", tokens, tokensPerSecond: promptTokens / prefillSeconds, firstSeconds };
    },
  };
}

function decodeCase(setting: BenchSetting, promptTokens: number, max_tokens: number): BenchCase {
  return {
    label: "the speed of one answer",
    expectedMs: () => 0,
    run: async (signal) => {
      const prompt = await setting.prompts.make(promptTokens, signal);
      const { decodeTokensPerSecond, gaps } = await answer(setting, { prompt, max_tokens }, signal);
      return { kind: "decode", tokensPerSecond: decodeTokensPerSecond, gaps };
    },
  };
}

function repeatCase(setting: BenchSetting, tokens: number): BenchCase {
  return {
    label: "the first token of a repeated prompt",
    expectedMs: (samples) => promptMs(samples, tokens),
    run: async (signal) => {
      const prompt = await setting.prompts.make(tokens, signal);
      const cold = await answer(setting, { prompt, max_tokens: 1 }, signal);
      const warm = await answer(setting, { prompt, max_tokens: 1, cache_prompt: true }, signal);
      return {
        kind: "repeat",
        tokens,
        cachedTokens: warm.cachedTokens,
        coldSeconds: cold.firstSeconds,
        warmSeconds: warm.firstSeconds,
      };
    },
  };
}

/** Over the wall clock from the first request to the last token, prompts included. */
function streamsCase(setting: BenchSetting, streams: number, promptTokens: number, max_tokens: number): BenchCase {
  return {
    label: `${streams} ${streams === 1 ? "answer" : "answers at once"}`,
    expectedMs: () => 0,
    run: async (signal) => {
      const prompts: (readonly number[])[] = [];
      for (let stream = 0; stream < streams; stream += 1)
        prompts.push(await setting.prompts.make(promptTokens, signal));
      const begunAt = setting.now();
      const answers = await Promise.all(prompts.map((prompt) => answer(setting, { prompt, max_tokens }, signal)));
      const seconds = (setting.now() - begunAt) / 1000;
      const tokens = answers.reduce((sum, { answerTokens }) => sum + answerTokens, 0);
      return { kind: "streams", streams, tokensPerSecond: tokens / seconds };
    },
  };
}

/** By the speed of the longest prompt that was measured. */
function promptMs(samples: readonly BenchSample[], tokens: number): number {
  const known = samples.filter((sample) => sample.kind === "prompt").sort((a, b) => b.tokens - a.tokens)[0];
  return known === undefined ? 0 : (tokens / known.tokensPerSecond) * 1000;
}
