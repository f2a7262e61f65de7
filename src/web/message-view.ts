import { button, element } from "./element.js";
import { richText } from "./rich-text.js";

/** One message on the page. */
export class MessageView {
  readonly root: HTMLElement;
  readonly #body = element("div", "message-body");
  readonly #foot = element("div", "message-foot");
  readonly #facts = element("span");
  #thinking: HTMLElement | null = null;
  #thinkingText = "";
  #text = "";
  #parts: readonly HTMLElement[] = [];

  constructor(role: "user" | "assistant") {
    this.root = element("article", `message message-${role}`, this.#body);
    this.root.setAttribute("aria-label", role === "user" ? "You" : "Answer");
    if (role === "assistant") {
      this.#foot.append(this.#facts);
      this.root.append(this.#foot);
      this.#body.classList.add("waiting");
    }
  }

  get text(): string {
    return this.#text;
  }

  append(text: string): void {
    this.#text += text;
    this.#body.classList.remove("waiting");
    const fresh = richText(this.#text);
    // What is complete stays in place, so that a selection in it, or a scrolled code block, is not lost.
    const same = fresh.findIndex((part, index) => this.#parts[index]?.isEqualNode(part) !== true);
    const kept = this.#parts.slice(0, same === -1 ? fresh.length : same);
    for (const part of this.#parts.slice(kept.length)) part.remove();
    this.#parts = [...kept, ...fresh.slice(kept.length)];
    this.#body.append(...fresh.slice(kept.length));
  }

  think(text: string): void {
    this.#thinkingText += text;
    if (this.#thinking === null) {
      const shown = element("div", "prose");
      this.#thinking = element("details", "thinking", element("summary", "", "Thinking"), shown);
      this.#body.prepend(this.#thinking);
    }
    const shown = this.#thinking.lastElementChild;
    if (shown !== null) shown.textContent = this.#thinkingText;
  }

  showFacts(text: string): void {
    this.#facts.textContent = text;
  }

  /** The answer is over, one way or another. */
  end(note: string): void {
    this.#body.classList.remove("waiting");
    if (this.#text === "" && this.#thinkingText === "") this.#body.hidden = true;
    if (note !== "") this.#foot.append(element("span", "", note));
  }

  showError(sentence: string): void {
    const shown = element("p", "error", sentence);
    shown.setAttribute("role", "alert");
    this.#foot.before(shown);
  }

  offer(label: string, action: () => void): void {
    this.#foot.append(button(label, action));
  }

  withdrawOffers(): void {
    for (const offered of this.#foot.querySelectorAll("button")) offered.remove();
  }
}
