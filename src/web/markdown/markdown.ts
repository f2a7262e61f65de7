import { html } from "htm/preact";
import type { Token } from "marked";
import { type ComponentChild, Fragment, h } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Block, blocksOf, GrowingMarkdown } from "./blocks.js";
import { CodeBlock } from "./code-block.js";
import { MarkdownDrawing } from "./render-markdown.js";

const finished = new MarkdownDrawing((code, language) => h(CodeBlock, { code, language, final: true }));
const unfinished = new MarkdownDrawing((code, language) => h(CodeBlock, { code, language, final: false }));

/** An answer's text. While it grows (`final` is false) what is done of it is read and drawn once. */
export function Markdown({ text, final }: { text: string; final: boolean }) {
  const stream = useMemo(() => new StreamDrawing(), []);
  const [round, setRound] = useState(0);
  const blocks = useMemo(
    () => (final ? blocksOf(text).map((block) => drawn(block, finished)) : stream.draw(text)),
    [text, final, round],
  );
  // Nothing may come for a while after what was not read yet.
  useEffect(() => {
    const wait = final ? null : stream.readAfter;
    if (wait === null) return;
    const timer = setTimeout(() => setRound((before) => before + 1), wait);
    return () => clearTimeout(timer);
  });
  return html`<div class="markdown">${blocks}</div>`;
}

class StreamDrawing {
  readonly #growing = new GrowingMarkdown();
  readonly #done = new WeakMap<Token, ComponentChild>();

  get readAfter(): number | null {
    return this.#growing.readAfter;
  }

  draw(text: string): readonly ComponentChild[] {
    this.#growing.update(text);
    const { done, open } = this.#growing;
    return [...done.map((block) => this.#once(block)), ...open.map((block) => drawn(block, unfinished))];
  }

  /** The same object each time, which preact takes as "nothing to do". */
  #once(block: Block): ComponentChild {
    const before = this.#done.get(block.token);
    if (before !== undefined) return before;
    const now = drawn(block, finished);
    this.#done.set(block.token, now);
    return now;
  }
}

/** Keyed by its place in the text, so that an open block becomes a finished one in the same elements. */
function drawn({ at, token }: Block, drawing: MarkdownDrawing): ComponentChild {
  return h(Fragment, { key: at }, drawing.token(token));
}
