import OpenAI from "openai";
import { type Answer, GrowingAnswer } from "./answer.js";
import { Random } from "./random.js";

/** One request, the same each time, so that its answer is, too. */
export interface Question {
  readonly id: number;
  readonly prompt: number[];
  readonly maxTokens: number;
  /** 0: greedy. */
  readonly temperature: number;
  readonly seed: number;
}

/** Token ids that every vocabulary here has. */
const LEAST_ID = 260;
const MOST_ID = 349;

const SHORT = 12;
const LONG = 240;

/** Half of them greedy, half with a seed; every fourth with a long prompt. */
export function makeQuestions(count: number, seed: number): readonly Question[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, id) => ({
    id,
    prompt: Array.from({ length: id % 4 === 3 ? LONG : SHORT }, () => random.between(LEAST_ID, MOST_ID)),
    maxTokens: random.between(80, 200),
    temperature: id % 2 === 0 ? 0 : 0.9,
    seed: random.between(1, 1_000_000),
  }));
}

/** @param fetchWith for looking at what really came */
export function clientOf(url: string, fetchWith: typeof fetch = fetch): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, fetch: fetchWith });
}

export function bodyOf({ prompt, maxTokens, temperature, seed }: Question, model: string) {
  return { model, prompt, max_tokens: maxTokens, temperature, seed, logprobs: 5 };
}

/** The answers that nobody disturbed, in the order of the questions. */
export async function referencesFor(
  questions: readonly Question[],
  url: string,
  model: string,
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const question of questions) answers.push(await askOnce(url, question, model));
  return answers;
}

export async function askOnce(url: string, question: Question, model: string, signal?: AbortSignal): Promise<Answer> {
  const { choices } = await clientOf(url).completions.create(bodyOf(question, model), { signal });
  const answer = new GrowingAnswer();
  for (const choice of choices) answer.add(choice);
  return answer;
}
