import { ExoError } from "../../core/errors.js";
import type { ChatPiece } from "../node-client/chat-stream.js";
import type { ListedModel } from "../node-client/node-client.js";
import type { CliIo } from "../terminal/cli-io.js";
import { type Paint, paintFor } from "../terminal/paint.js";
import { AnswerPrinter, outcomeText } from "./answer-printer.js";
import type { ChatHistory } from "./chat-history.js";
import { ChatPrompt } from "./chat-prompt.js";
import { commandIn, completionsOf } from "./commands/all-commands.js";
import type { ChatActions } from "./commands/chat-command.js";
import type { AnswerOutcome, Conversation } from "./conversation.js";
import type { Entry } from "./line-joiner.js";

export interface ChatOptions {
  readonly conversation: Conversation;
  readonly io: CliIo;
  /** Whether to tell tokens and speed after each answer. */
  readonly stats: boolean;
  readonly history: ChatHistory;
  readonly models: () => Promise<readonly ListedModel[]>;
  /** Ends the chat. */
  readonly signal: AbortSignal;
}

type Asking = (onPiece: (piece: ChatPiece) => void, signal: AbortSignal) => Promise<AnswerOutcome>;

/** A chat in the terminal: returns when the user leaves. */
export async function chatInTerminal(options: ChatOptions): Promise<void> {
  const chat = new InteractiveChat(options);
  await chat.run();
}

class InteractiveChat {
  readonly #options: ChatOptions;
  readonly #prompt: ChatPrompt;
  readonly #actions: ChatActions;
  readonly #paint: Paint;
  #stats: boolean;
  #lastOutcome: AnswerOutcome | null = null;
  #answering: AbortController | null = null;
  #hasLeft = false;

  constructor(options: ChatOptions) {
    const { io, stats, history, signal } = options;
    this.#options = options;
    this.#stats = stats;
    this.#actions = this.#createActions();
    this.#prompt = new ChatPrompt({
      io,
      history,
      complete: (line) => completionsOf(this.#actions, line),
      onInterrupt: () => this.#interrupt(),
      onClose: () => this.#answering?.abort(),
    });
    this.#paint = paintFor(this.#prompt.terminal, io.env);
    signal.addEventListener("abort", () => this.#prompt.close(), { once: true });
  }

  async run(): Promise<void> {
    const { conversation } = this.#options;
    this.#print(`${conversation.model}. /help lists what you can type besides questions; Ctrl-D leaves.`);
    for (;;) {
      const entry = await this.#prompt.next();
      if (entry === null) break;
      await this.#handle(entry);
      if (this.#hasLeft) return;
    }
    // Ctrl-D leaves the prompt standing.
    this.#print("");
  }

  async #handle({ text, quoted }: Entry): Promise<void> {
    const entry = text.trim();
    if (entry === "") return;
    const found = quoted ? null : commandIn(entry);
    try {
      if (found === null) await this.#answer((...how) => this.#options.conversation.say(entry, ...how));
      else if ("unknown" in found) this.#print(`There is no ${found.unknown}; /help lists what there is.`);
      else await found.command.run(this.#actions, found.argument);
    } catch (thrown) {
      this.#complain(ExoError.from(thrown));
    }
  }

  async #answer(ask: Asking): Promise<void> {
    const { io } = this.#options;
    const printer = new AnswerPrinter(io.stdout, paintFor(io.stdout, io.env));
    const stopping = new AbortController();
    this.#answering = stopping;
    try {
      const outcome = await ask((piece) => printer.print(piece), stopping.signal);
      printer.finish();
      this.#lastOutcome = outcome;
      if (outcome.finishReason === "stopped") this.#note("stopped");
      else if (this.#stats) this.#note(outcomeText(outcome));
    } finally {
      printer.finish();
      this.#answering = null;
    }
  }

  /** Ctrl-C: stops the answer; once more, when it will not stop, leaves. */
  #interrupt(): boolean {
    if (this.#answering === null) return false;
    if (this.#answering.signal.aborted) this.#leave();
    else this.#answering.abort();
    return true;
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#prompt.close();
  }

  #createActions(): ChatActions {
    const chat = this;
    const { conversation, models } = this.#options;
    return {
      conversation,
      models,
      get stats() {
        return chat.#stats;
      },
      set stats(wanted) {
        chat.#stats = wanted;
      },
      get lastOutcome() {
        return chat.#lastOutcome;
      },
      print: (lines) => this.#print(lines.join("\n")),
      note: (text) => this.#note(text),
      answerAgain: () => this.#answer((...how) => conversation.sayAgain(...how)),
      leave: () => this.#leave(),
    };
  }

  #print(text: string): void {
    this.#prompt.terminal.write(`${text}\n`);
  }

  #note(text: string | null): void {
    if (text !== null) this.#print(this.#paint("dim", `(${text})`));
  }

  #complain(error: ExoError): void {
    const hint = error.code === "context_exceeded" ? " /clear makes room." : "";
    this.#options.io.stderr.write(`${this.#paint("red", "error:")} ${error.message}${hint}\n`);
  }
}
