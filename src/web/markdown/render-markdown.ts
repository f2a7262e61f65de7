import type { MarkedToken, Token, Tokens } from "marked";
import { type ComponentChild, h } from "preact";
import { decodeEntities } from "./entities.js";
import { safeLink } from "./safe-link.js";

/** How a block of code is drawn; the rest of Markdown is the same everywhere. */
export type DrawCode = (code: string, language: string) => ComponentChild;

/** Deeper than this, blocks within blocks are shown as they were written. */
const DEEPEST = 16;

const KNOWN: ReadonlySet<string> = new Set<MarkedToken["type"]>([
  ...(["blockquote", "br", "checkbox", "code", "codespan", "def", "del", "em", "escape", "heading", "hr"] as const),
  ...(["html", "image", "link", "list", "list_item", "paragraph", "space", "strong", "table", "text"] as const),
]);

/** Draws Markdown without ever making HTML of it: whatever a model writes ends as text in elements made here. */
export class MarkdownDrawing {
  readonly #code: DrawCode;

  constructor(code: DrawCode) {
    this.#code = code;
  }

  blocks(tokens: readonly Token[], depth = 0): readonly ComponentChild[] {
    return tokens.map((token) => this.token(token, depth));
  }

  /** One block, or one piece of a line. */
  token(token: Token, depth = 0): ComponentChild {
    if (!isKnown(token) || depth > DEEPEST) return token.raw;
    switch (token.type) {
      case "space":
      case "def":
        return null;
      case "hr":
        return h("hr", {});
      case "code":
        return this.#code(token.text, (token.lang ?? "").trim().split(/\s/)[0] ?? "");
      case "blockquote":
        return h("blockquote", {}, this.blocks(token.tokens, depth + 1));
      case "list":
        return this.#list(token, depth);
      case "list_item":
        return h("li", {}, this.blocks(token.tokens, depth + 1));
      case "table":
        return this.#table(token, depth);
      case "paragraph":
        return h("p", {}, this.blocks(token.tokens, depth + 1));
      case "heading":
        // The page has headings of its own above an answer's.
        return h(`h${Math.min(6, token.depth + 2)}`, {}, this.blocks(token.tokens, depth + 1));
      default:
        return this.#inline(token, depth);
    }
  }

  #inline(token: MarkedToken, depth: number): ComponentChild {
    switch (token.type) {
      case "text":
        if (token.tokens !== undefined) return this.blocks(token.tokens, depth + 1);
        return token.escaped === true ? token.text : decodeEntities(token.text);
      case "escape":
        return token.text;
      case "codespan":
        return h("code", {}, token.text);
      case "br":
        return h("br", {});
      case "strong":
      case "em":
      case "del":
        return h(token.type, {}, this.blocks(token.tokens, depth + 1));
      case "checkbox":
        return token.checked ? "☑ " : "☐ ";
      case "link":
        return this.#link(token, this.blocks(token.tokens, depth + 1));
      case "image":
        return this.#link(token, [`Image: ${decodeEntities(token.text) || "without a description"}`]);
      case "html":
        return /^<br\s*\/?>\s*$/i.test(token.text) ? h("br", {}) : token.text;
      default:
        return token.raw;
    }
  }

  /** Images are links too: showing one would tell its server who reads what. */
  #link(token: Tokens.Link | Tokens.Image, content: readonly ComponentChild[]): ComponentChild {
    const literal = token.type === "link" && token.autolink === true;
    const href = safeLink(literal ? token.href : decodeEntities(token.href));
    if (href === null) return token.raw;
    return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, content);
  }

  #list(token: Tokens.List, depth: number): ComponentChild {
    const items = token.items.map((item) => this.token(item, depth + 1));
    return token.ordered ? h("ol", { start: token.start === "" ? 1 : token.start }, items) : h("ul", {}, items);
  }

  #table(token: Tokens.Table, depth: number): ComponentChild {
    const row = (cells: readonly Tokens.TableCell[], tag: "th" | "td") =>
      h(
        "tr",
        {},
        cells.map((cell) => h(tag, { class: cell.align ?? "" }, this.blocks(cell.tokens, depth + 1))),
      );
    const table = h(
      "table",
      {},
      h("thead", {}, row(token.header, "th")),
      h(
        "tbody",
        {},
        token.rows.map((cells) => row(cells, "td")),
      ),
    );
    // It scrolls by itself when it is wide, also by keyboard.
    return h("div", { class: "table-box", tabIndex: 0, role: "group", "aria-label": "Table" }, table);
  }
}

function isKnown(token: Token): token is MarkedToken {
  return KNOWN.has(token.type);
}
