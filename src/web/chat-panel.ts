import { byId } from "./element.js";
import { MessageView } from "./message-view.js";
import { type ChatEvent, type ChatTurn, type Server, ServerError } from "./server.js";
import type { Settings } from "./settings.js";
import { Speed } from "./speed.js";

const NOTES: Readonly<Record<string, string>> = {
  length: "The answer reached its limit of tokens.",
  tool_calls: "The model asked for a tool, which this page has none of.",
};

/** How an answer ended: a note under it, a word for screen readers, a sentence if it failed. */
interface Ending {
  readonly note: string;
  readonly status: string;
  readonly error: string | null;
}

/** The conversation: what was said, the answer being written, and the box to write in. */
export class ChatPanel {
  readonly #server: Server;
  readonly #settings: Settings;
  readonly #chosenModel: () => string;
  readonly #messages = byId("messages", HTMLElement);
  readonly #welcome = byId("welcome", HTMLElement);
  readonly #prompt = byId("prompt", HTMLTextAreaElement);
  readonly #send = byId("send", HTMLButtonElement);
  readonly #stop = byId("stop", HTMLButtonElement);
  readonly #status = byId("status", HTMLElement);
  /** What the model is told of the conversation so far. */
  #turns: ChatTurn[] = [];
  #lastAnswer: MessageView | null = null;
  #running: AbortController | null = null;

  constructor(server: Server, settings: Settings, chosenModel: () => string) {
    this.#server = server;
    this.#settings = settings;
    this.#chosenModel = chosenModel;
    byId("composer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId("new-chat", HTMLButtonElement).addEventListener("click", () => this.#startOver());
    this.#stop.addEventListener("click", () => {
      this.#running?.abort();
      this.#prompt.focus();
    });
    this.#prompt.addEventListener("input", () => this.#fitPrompt());
    this.#prompt.addEventListener("keydown", (event) => {
      // While a character is being composed (Chinese, Japanese, …), Enter belongs to the input method.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#running?.abort();
    });
    this.#prompt.focus();
  }

  #submit(): void {
    const text = this.#prompt.value.trim();
    if (text === "" || this.#running !== null) return;
    this.#prompt.value = "";
    this.#fitPrompt();
    const view = new MessageView("user");
    view.append(text);
    this.#show(view);
    // A question that got no answer is not asked again: many templates insist that roles alternate.
    if (this.#turns.at(-1)?.role === "user") this.#turns.pop();
    this.#turns.push({ role: "user", content: text });
    void this.#answer();
  }

  async #answer(): Promise<void> {
    this.#lastAnswer?.withdrawOffers();
    const view = new MessageView("assistant");
    this.#lastAnswer = view;
    this.#show(view);
    const running = new AbortController();
    this.#setRunning(running);
    const speed = new Speed(performance.now());
    const ticking = setInterval(() => view.showFacts(speed.waiting(performance.now())), 100);
    const ending = await this.#receive(view, speed, running.signal);
    clearInterval(ticking);
    view.showFacts(speed.describe());
    this.#finish(view, ending);
  }

  async #receive(view: MessageView, speed: Speed, signal: AbortSignal): Promise<Ending> {
    let note = "";
    try {
      for await (const event of this.#server.chat(this.#request(), signal)) {
        speed.add(event, performance.now());
        note = this.#take(event, view) ?? note;
      }
      return { note, status: "Answer complete.", error: null };
    } catch (thrown) {
      if (signal.aborted) return { note: "Stopped.", status: "Stopped.", error: null };
      const lost = "The connection to the node was lost in the middle of the answer.";
      return { note: "", status: "", error: thrown instanceof ServerError ? thrown.message : lost };
    }
  }

  #request() {
    const { temperature, maxTokens } = this.#settings;
    return { model: this.#chosenModel(), messages: this.#turns, temperature, maxTokens };
  }

  /** Shows one event; returns the note to leave under a finished answer. */
  #take(event: ChatEvent, view: MessageView): string | null {
    const following = this.#atEnd();
    if (event.kind === "text") view.append(event.text);
    if (event.kind === "thinking") view.think(event.text);
    if (following) this.#scrollToEnd();
    return event.kind === "finished" ? (NOTES[event.reason] ?? "") : null;
  }

  #finish(view: MessageView, { note, status, error }: Ending): void {
    // After "New chat" this answer belongs to no conversation any more.
    if (this.#lastAnswer !== view) return;
    view.end(note);
    if (error !== null) view.showError(error);
    if (view.text !== "") this.#turns.push({ role: "assistant", content: view.text });
    view.offer("Regenerate", () => this.#regenerate(view));
    this.#setRunning(null);
    this.#status.textContent = status;
    this.#scrollToEnd();
  }

  #regenerate(view: MessageView): void {
    if (this.#running !== null) return;
    view.root.remove();
    if (this.#turns.at(-1)?.role === "assistant") this.#turns.pop();
    this.#prompt.focus();
    void this.#answer();
  }

  #startOver(): void {
    this.#running?.abort();
    this.#setRunning(null);
    this.#lastAnswer = null;
    this.#turns = [];
    this.#messages.replaceChildren(this.#welcome);
    this.#status.textContent = "";
    this.#prompt.focus();
  }

  #setRunning(running: AbortController | null): void {
    this.#running = running;
    this.#send.hidden = running !== null;
    this.#stop.hidden = running === null;
    if (running !== null) this.#status.textContent = "Answering…";
  }

  #show(view: MessageView): void {
    this.#welcome.remove();
    this.#messages.append(view.root);
    this.#scrollToEnd();
  }

  #atEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#messages;
    return scrollHeight - scrollTop - clientHeight < 40;
  }

  #scrollToEnd(): void {
    this.#messages.scrollTop = this.#messages.scrollHeight;
  }

  /** As tall as its text, up to the bound in the style sheet. */
  #fitPrompt(): void {
    this.#prompt.style.height = "auto";
    this.#prompt.style.height = `${this.#prompt.scrollHeight + 2}px`;
  }
}
