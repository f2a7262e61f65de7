import { lexer, type Token } from "marked";

export interface Block {
  /** Of the text: where it begins. */
  readonly at: number;
  readonly token: Token;
}

/** Longer than this, an unfinished block is not read again with every token that comes. Characters. */
const LONGEST_OPEN_BLOCK = 100_000;

/** The blocks of a text that is complete. */
export function blocksOf(text: string): readonly Block[] {
  return positioned(lexBlocks(normalised(text)), 0);
}

/** Markdown as tokens; a text that cannot be read as Markdown is one paragraph. */
function lexBlocks(text: string): readonly Token[] {
  try {
    return lexer(text, { gfm: true, breaks: true });
  } catch {
    // Quotes within quotes a thousand times over, for one, exceed the stack.
    return [plainToken(text)];
  }
}

/**
 * Reads a text that grows at its end. What comes is read again together with the last block only, because only that can
 * still change; so an answer costs as much per token at its end as at its beginning.
 */
export class GrowingMarkdown {
  #text = "";
  #done: readonly Block[] = [];
  #open: readonly Block[] = [];
  /** Of the text: where the open blocks begin. */
  #openAt = 0;

  /** Blocks that will not change any more, in order. Only ever grows. */
  get done(): readonly Block[] {
    return this.#done;
  }

  /** What the text ends with, as far as it can be read now. */
  get open(): readonly Block[] {
    return this.#open;
  }

  /** @param text the whole of it; begins with what was given before */
  update(text: string): void {
    const plain = normalised(text);
    if (plain === this.#text) return;
    if (!plain.startsWith(this.#text)) this.#startOver();
    this.#text = plain;
    this.#read(plain.slice(this.#openAt));
  }

  #read(rest: string): void {
    const tokens = rest.length > LONGEST_OPEN_BLOCK ? [plainToken(rest)] : lexBlocks(rest);
    const blocks = positioned(tokens, this.#openAt);
    const last = blocks.findLastIndex(({ token }) => token.type !== "space");
    const done = Math.max(0, last);
    this.#done = done === 0 ? this.#done : [...this.#done, ...blocks.slice(0, done)];
    this.#open = blocks.slice(done);
    this.#openAt = this.#open[0]?.at ?? this.#openAt;
  }

  #startOver(): void {
    this.#done = [];
    this.#open = [];
    this.#openAt = 0;
  }
}

/** As marked reads it, so that the tokens' texts add up to it. */
function normalised(text: string): string {
  return text.replaceAll(/\r\n|\r/g, "\n");
}

function positioned(tokens: readonly Token[], begin: number): readonly Block[] {
  let at = begin;
  return tokens.map((token) => {
    const block = { at, token };
    at += token.raw.length;
    return block;
  });
}

function plainToken(text: string): Token {
  return { type: "paragraph", raw: text, text, tokens: [{ type: "text", raw: text, text, escaped: true }] };
}
