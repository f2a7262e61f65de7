import type { MeasuredCompletion } from "../api/measured-completion.js";
import { benchText } from "./bench-text.js";

/** What a measurement asks of the node; time in milliseconds. */
export interface BenchPorts {
  tokenize(text: string): Promise<readonly number[]>;
  complete(prompt: readonly number[], maxTokens: number): Promise<MeasuredCompletion>;
  now(): number;
}

export interface BenchSetting {
  /** Tokens per slot. */
  readonly contextSize: number;
  readonly slots: number;
}

/** What was measured; rates in tokens per second. */
export interface BenchNumbers {
  readonly promptTokens: number;
  /** From sending a prompt of so many tokens to the first token. */
  readonly ttftSeconds: number;
  /** Of one answer, from its first token on; `null`: the node does not tell. */
  readonly decodeTokensPerSecond: number | null;
  /** Over the wall clock, prompts included; one entry for each number of answers at once. */
  readonly streams: readonly { readonly streams: number; readonly tokensPerSecond: number }[];
}

/** The prompt that predictions are of. */
const LONG_PROMPT = 512;
const SHORT_PROMPT = 32;
const ANSWER = 64;
const STREAMS = [1, 2, 4];
/** Characters that a token stands for, at most, in plain English. */
const CHARACTERS_PER_TOKEN = 12;

/** Measures a loaded model by asking it; `tell` hears what comes next and how much is done, 0…1. */
export async function runBench(
  ports: BenchPorts,
  setting: BenchSetting,
  tell: (step: string, done: number) => void,
): Promise<BenchNumbers> {
  const { long, short, answer } = lengthsFor(setting.contextSize);
  const counts = STREAMS.filter((count) => count <= Math.max(1, setting.slots));
  const steps = counts.length + 2;
  let passage = 0;
  const promptOf = (tokens: number): Promise<readonly number[]> => makePrompt(ports, tokens, passage++);
  tell("warming up", 0);
  await ports.complete(await promptOf(short), 2);
  tell(`the first token of a prompt of ${long}`, 1 / steps);
  const first = await ports.complete(await promptOf(long), 1);
  const streams: { streams: number; tokensPerSecond: number }[] = [];
  let alone: MeasuredCompletion | null = null;
  for (const [index, count] of counts.entries()) {
    tell(count === 1 ? "one answer" : `${count} answers at once`, (index + 2) / steps);
    const { answers, tokensPerSecond } = await together(ports, count, () => promptOf(short), answer);
    alone ??= answers[0] ?? null;
    streams.push({ streams: count, tokensPerSecond });
  }
  tell("done", 1);
  return {
    promptTokens: long,
    ttftSeconds: first.firstSeconds,
    decodeTokensPerSecond: alone?.decodeTokensPerSecond ?? null,
    streams,
  };
}

/** What a small context leaves room for. */
function lengthsFor(contextSize: number) {
  const room = contextSize > 0 ? contextSize : LONG_PROMPT + ANSWER;
  const long = Math.max(1, Math.min(LONG_PROMPT, room - 2));
  const short = Math.max(1, Math.min(SHORT_PROMPT, Math.floor(room / 4)));
  return { long, short, answer: Math.max(2, Math.min(ANSWER, room - short - 1)) };
}

async function together(ports: BenchPorts, count: number, prompt: () => Promise<readonly number[]>, maxTokens: number) {
  const prompts: (readonly number[])[] = [];
  for (let made = 0; made < count; made += 1) prompts.push(await prompt());
  const begunAt = ports.now();
  const answers = await Promise.all(prompts.map((one) => ports.complete(one, maxTokens)));
  const seconds = (ports.now() - begunAt) / 1000;
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  return { answers, tokensPerSecond: seconds > 0 ? tokens / seconds : 0 };
}

/** Each begins with another passage, so that no cache helps. */
async function makePrompt(ports: BenchPorts, tokens: number, passage: number): Promise<readonly number[]> {
  const ids = await ports.tokenize(benchText(passage, tokens * CHARACTERS_PER_TOKEN));
  return ids.slice(0, tokens);
}
