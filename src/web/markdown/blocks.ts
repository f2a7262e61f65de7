import { lexer, type Token } from "marked";

export interface Block {
  /** Of the text: where it begins. */
  readonly at: number;
  readonly token: Token;
}

/** After a reading, as many times as long nothing is read: some texts are slow to read, and the page is not to stand still. */
const REST = 4;

/** The blocks of a text that is complete. */
export function blocksOf(text: string): readonly Block[] {
  return positioned(lexBlocks(normalised(text)), 0);
}

/** Markdown as tokens; a part that cannot be read as Markdown is a plain paragraph. */
function lexBlocks(text: string): readonly Token[] {
  try {
    return lexer(text, { gfm: true, breaks: true });
  } catch {
    // Quotes within quotes a thousand times over, for one, exceed the stack. The rest of the text is not to suffer.
    const parts = text.split(/(?<=\n\n)(?=\S)/);
    return parts.length === 1 ? [plainToken(text)] : parts.flatMap(lexBlocks);
  }
}

/**
 * Reads a text that grows at its end. What comes is read again together with the last block only, because only that can
 * still change; so an answer costs as much per token at its end as at its beginning.
 */
export class GrowingMarkdown {
  readonly #now: () => number;
  /** Before this nothing is read. */
  #restsUntil = Number.NEGATIVE_INFINITY;
  #text = "";
  /** It was given more than it has read. */
  #behind = false;
  #done: readonly Block[] = [];
  #open: readonly Block[] = [];
  /** Of the text: where the open blocks begin. */
  #openAt = 0;

  /** @param now milliseconds of any origin */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Blocks that will not change any more, in order. Only ever grows. */
  get done(): readonly Block[] {
    return this.#done;
  }

  /** What the text ends with, as far as it can be read now. */
  get open(): readonly Block[] {
    return this.#open;
  }

  /** Milliseconds after which what was given last can be read; `null`: it was read. */
  get readAfter(): number | null {
    return this.#behind ? Math.max(0, this.#restsUntil - this.#now()) : null;
  }

  /** @param text the whole of it; begins with what was given before */
  update(text: string): void {
    const plain = normalised(text);
    const begin = this.#now();
    this.#behind = plain !== this.#text && begin < this.#restsUntil;
    if (plain === this.#text || this.#behind) return;
    if (!plain.startsWith(this.#text)) this.#startOver();
    this.#text = plain;
    this.#read(plain.slice(this.#openAt));
    const end = this.#now();
    this.#restsUntil = end + REST * (end - begin);
  }

  #read(rest: string): void {
    const blocks = positioned(lexBlocks(rest), this.#openAt);
    const last = blocks.findLastIndex(({ token }) => token.type !== "space");
    // Where marked mends a text in reading it, say an empty item of a list, lengths need not add up: that stays open.
    const mended = blocks.findIndex(({ at, token }) => !this.#text.startsWith(token.raw, at));
    const done = Math.max(0, mended === -1 ? last : Math.min(last, mended));
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
