import { ExoError } from "../../core/errors.js";
import type { NodeClient } from "../node-client/node-client.js";
import { PASSAGES } from "./passages.js";

/** Characters that one token stands for, at most, in plain text: words of ten letters and a space. */
const MOST_CHARACTERS_PER_TOKEN = 12;

/** Makes prompts of natural text, as token ids: each of exactly the wanted length, each beginning with another passage. */
export class PromptMaker {
  readonly #client: Pick<NodeClient, "tokenize">;
  readonly #model: string;
  #next = 0;

  constructor(client: Pick<NodeClient, "tokenize">, model: string) {
    this.#client = client;
    this.#model = model;
  }

  async make(tokens: number, signal: AbortSignal): Promise<readonly number[]> {
    const text = passagesFrom(this.#next++, tokens * MOST_CHARACTERS_PER_TOKEN);
    const ids = await this.#client.tokenize(this.#model, text, signal);
    if (ids.length >= tokens) return ids.slice(0, tokens);
    throw new ExoError(
      "unsupported",
      `${text.length} characters of English are only ${ids.length} tokens of this model; ${tokens} were needed.`,
    );
  }
}

/** The passages in their order from the `first` one on, over and over, at least so many characters. */
export function passagesFrom(first: number, characters: number): string {
  let text = "";
  for (let index = first; text.length < characters; index += 1) {
    text += `${text === "" ? "" : "\n\n"}${PASSAGES[index % PASSAGES.length] ?? ""}`;
  }
  return text;
}
