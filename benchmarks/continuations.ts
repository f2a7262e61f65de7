import { CODE_SNIPPETS } from "./code-snippets.js";
import { storyText } from "./prompts.js";

/** Texts to go on with, from those that drafts suit best to those that they do not. */
export const CONTINUATION_KINDS = ["repeating", "code", "summary", "other"] as const;
export type ContinuationKind = (typeof CONTINUATION_KINDS)[number];

/** Paragraphs of the story that are one text, and how far the next text begins behind it. Some 200 tokens each. */
const PARAGRAPHS = 2;

/**
 * A different text each time, the same ones in the same order for every ring: rings are compared on the same text, and none
 * has seen it before. When all have been, they begin again.
 */
export class Continuations {
  readonly #taken = new Map<ContinuationKind, number>();

  async take(kind: ContinuationKind): Promise<string> {
    const round = this.#taken.get(kind) ?? 0;
    this.#taken.set(kind, round + 1);
    return continuationPrompt(kind, round);
  }
}

export async function continuationPrompt(kind: ContinuationKind, round: number): Promise<string> {
  if (kind === "code") return codeEdit(round);
  const text = await storyPart(round);
  if (kind === "other") return text;
  if (kind === "summary") return `${text}\n\nThe same in fewer words, but in the words of the text:\n\n`;
  return `${text}\n\nThe same text once more, without any change:\n\n${opening(text)}`;
}

/** Part of the story. */
async function storyPart(round: number): Promise<string> {
  const paragraphs = (await storyText()).trim().split("\n\n");
  const parts = Math.floor(paragraphs.length / PARAGRAPHS);
  const begin = (round % parts) * PARAGRAPHS;
  return paragraphs.slice(begin, begin + PARAGRAPHS).join("\n\n");
}

function opening(text: string): string {
  return text.split(" ", 6).join(" ");
}

/** Code that is to be written again with one name changed, as an editor asks for. */
function codeEdit(round: number): string {
  const { code, name, newName } = CODE_SNIPPETS[round % CODE_SNIPPETS.length] ?? { code: "", name: "", newName: "" };
  const begin = code.slice(0, code.indexOf("\n"));
  return (
    `\`\`\`js\n${code}\n\`\`\`\n\nThe same code with \`${name}\` renamed to \`${newName}\`:\n\n` +
    `\`\`\`js\n${begin.replaceAll(name, newName)}\n`
  );
}
