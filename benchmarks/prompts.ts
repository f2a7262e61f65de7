import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../src/core/package.js";

/** Turns text into tokens, without special ones. */
export type Tokenize = (text: string) => Promise<readonly number[]>;

/** Tokens of the prompt before an answer whose speed is measured: hardly any, as with llama-bench. */
export const SHORT_PROMPT = 4;

/** Far apart and prime, so that no two rounds begin with the same tokens. */
export const STEP = 101;

/** Prompts of natural text with an exact number of tokens. */
export class Prompts {
  readonly #tokens: readonly number[];
  #next = 0;

  constructor(tokens: readonly number[]) {
    this.#tokens = tokens;
  }

  static async load(tokenize: Tokenize): Promise<Prompts> {
    return new Prompts(await tokenize(await storyText()));
  }

  /** The next prompt: starts elsewhere in the text than the ones before, and goes on at its beginning where it ends. */
  take(count: number): number[] {
    const begin = this.#next;
    this.#next += STEP;
    return Array.from({ length: count }, (_, index) => this.#tokens[(begin + index) % this.#tokens.length] ?? 0);
  }
}

export function storyText(): Promise<string> {
  return readFile(join(packageRoot(), "benchmarks", "texts", "alice.txt"), "utf8");
}
