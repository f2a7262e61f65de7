import { createInterface, type Interface } from "node:readline";
import { AsyncQueue } from "../../core/async-queue.js";
import type { CliIo, CliOutput } from "../terminal/cli-io.js";
import type { ChatHistory } from "./chat-history.js";
import { type Entry, LineJoiner } from "./line-joiner.js";
import { MutableOutput } from "./mutable-output.js";
import { ASK_FOR_BRACKETS, NO_BRACKETS, onOneLine, withBreaks } from "./pasted-lines.js";
import { TerminalInput } from "./terminal-input.js";

const PROMPT = ">>> ";
const CONTINUED = "... ";
const HINT = "(Ctrl-C again, Ctrl-D or /exit leaves)";

export interface ChatPromptOptions {
  readonly io: CliIo;
  readonly history: ChatHistory;
  /** What a line could become, and the part of it that this replaces. */
  readonly complete: (line: string) => Promise<[string[], string]>;
  /** Ctrl-C; says whether there was something to stop. */
  readonly onInterrupt: () => boolean;
  /** The person leaves, also in the middle of an answer. */
  readonly onClose: () => void;
}

/** Where questions are typed: several lines as one entry, with history, completion and pasting. */
export class ChatPrompt {
  /** The terminal. What is drawn on it must not get into a file that answers are written to. */
  readonly terminal: CliOutput;
  readonly #options: ChatPromptOptions;
  readonly #input: TerminalInput;
  readonly #output: MutableOutput;
  readonly #readline: Interface;
  readonly #lines = new AsyncQueue<string>();
  readonly #entered = this.#lines[Symbol.asyncIterator]();
  readonly #joiner = new LineJoiner();
  /** The same list that readline goes up and down in, newest first. */
  #recalled: string[] | null = null;
  /** The last key was a Ctrl-C that had nothing to do. */
  #mayLeave = false;
  #closed = false;

  constructor(options: ChatPromptOptions) {
    const { io, history, complete, onClose } = options;
    this.#options = options;
    this.terminal = io.stdout.isTTY === true ? io.stdout : io.stderr;
    this.#input = new TerminalInput(io.stdin);
    this.#output = new MutableOutput(this.terminal);
    this.#readline = createInterface({
      input: this.#input,
      output: this.#output,
      terminal: true,
      history: recallable(history),
      historySize: 1000,
      completer: (line: string, answer: (error: null, found: [string[], string]) => void) => {
        complete(line).then(
          (found) => answer(null, found),
          () => answer(null, [[], line]),
        );
      },
    });
    this.#readline.on("history", (lines) => {
      this.#recalled = lines;
    });
    this.#readline.on("line", (line) => this.#lines.push(line));
    this.#readline.on("SIGINT", () => this.#interrupt());
    this.#readline.on("SIGCONT", () => this.#show());
    this.#readline.on("close", () => {
      this.#closed = true;
      this.#lines.end();
      this.#input.release();
      this.terminal.write(NO_BRACKETS);
      onClose();
    });
  }

  /** Waits for the next entry; `null`: the person leaves. */
  async next(): Promise<Entry | null> {
    this.#output.muted = false;
    for (;;) {
      const wasTypedAhead = this.#lines.length > 0;
      if (!wasTypedAhead) this.#show();
      const { value: line, done } = await this.#entered.next();
      if (done === true) return null;
      if (wasTypedAhead) this.terminal.write(`${this.#promptText}${line}\n`);
      this.#mayLeave = false;
      const entry = this.#joiner.add(line);
      if (entry !== null) return this.#taken(entry);
    }
  }

  /** Gives the terminal back. Idempotent. */
  close(): void {
    this.#readline.close();
  }

  /** Until the next one is waited for, what is typed is kept and not drawn. */
  #taken({ text, quoted }: Entry): Entry {
    this.#output.muted = true;
    const meant = withBreaks(text);
    const { history } = this.#options;
    history.add(quoted && meant.startsWith("/") ? `"""${meant}"""` : meant);
    // Readline has kept each of its lines.
    this.#recalled?.splice(0, this.#recalled.length, ...recallable(history));
    return { text: meant, quoted };
  }

  #show(): void {
    if (this.#closed) return;
    this.terminal.write(ASK_FOR_BRACKETS);
    this.#readline.setPrompt(this.#promptText);
    this.#readline.prompt(true);
  }

  get #promptText(): string {
    return this.#joiner.pending ? CONTINUED : PROMPT;
  }

  #interrupt(): void {
    if (this.#options.onInterrupt()) return;
    const typed = this.#readline.line !== "" || this.#joiner.pending;
    if (!typed && this.#mayLeave) {
      this.close();
      return;
    }
    this.#mayLeave = !typed;
    this.#joiner.reset();
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.terminal.write(typed ? "^C\n" : `\n${HINT}\n`);
    this.#show();
  }
}

function recallable({ entries }: ChatHistory): string[] {
  return entries.map(onOneLine).toReversed();
}
