import { createInterface, type Interface } from "node:readline";
import { AsyncQueue } from "../../core/async-queue.js";
import { ExoError } from "../../core/errors.js";
import type { CliIo } from "../terminal/cli-io.js";
import { type Paint, paintFor } from "../terminal/paint.js";
import { AnswerPrinter, outcomeText } from "./answer-printer.js";
import type { Conversation } from "./conversation.js";
import { LineJoiner } from "./line-joiner.js";
import { MutableOutput } from "./mutable-output.js";

const PROMPT = ">>> ";
const CONTINUED = "... ";

const HELP = `  /clear   forget the conversation so far
  /exit    leave (so does Ctrl-D)
  /help    this list

  A line that ends in \\ goes on in the next one. Ctrl-C stops an answer.
`;

export interface ChatOptions {
  readonly conversation: Conversation;
  readonly io: CliIo;
  /** Whether to tell tokens and speed after each answer. */
  readonly stats: boolean;
  /** The model's name, for the greeting. */
  readonly model: string;
}

/** A chat in the terminal: returns when the user leaves. */
export async function chatInTerminal(options: ChatOptions): Promise<void> {
  const chat = new InteractiveChat(options);
  options.io.stdout.write(`${options.model}. /help lists what you can type besides questions; Ctrl-D leaves.\n`);
  await chat.run();
}

class InteractiveChat {
  readonly #conversation: Conversation;
  readonly #io: CliIo;
  readonly #stats: boolean;
  readonly #paint: Paint;
  readonly #output: MutableOutput;
  readonly #readline: Interface;
  readonly #lines = new AsyncQueue<string>();
  readonly #joiner = new LineJoiner();
  #answering: AbortController | null = null;

  constructor({ conversation, io, stats }: ChatOptions) {
    this.#conversation = conversation;
    this.#io = io;
    this.#stats = stats;
    this.#paint = paintFor(io.stdout, io.env);
    this.#output = new MutableOutput(io.stdout);
    this.#readline = createInterface({ input: io.stdin, output: this.#output, terminal: true, historySize: 1000 });
    this.#readline.on("line", (line) => this.#lines.push(line));
    this.#readline.on("close", () => this.#leave());
    this.#readline.on("SIGINT", () => this.#interrupt());
  }

  async run(): Promise<void> {
    this.#prompt();
    for await (const line of this.#lines) {
      const entry = this.#joiner.add(line);
      if (entry !== null && !(await this.#handle(entry.trim()))) {
        this.#readline.close();
        return;
      }
      this.#prompt();
    }
    // Ctrl-D leaves the prompt standing.
    this.#io.stdout.write("\n");
  }

  /** Whether the chat goes on. */
  async #handle(entry: string): Promise<boolean> {
    if (entry === "/exit" || entry === "/quit" || entry === "/bye") return false;
    if (entry === "/help" || entry === "/?") this.#io.stdout.write(HELP);
    else if (entry === "/clear") this.#clear();
    else if (/^\/\w+$/.test(entry)) this.#io.stdout.write(`There is no ${entry}; /help lists what there is.\n`);
    else if (entry !== "") await this.#answer(entry);
    return true;
  }

  #clear(): void {
    this.#conversation.clear();
    this.#io.stdout.write(this.#paint("dim", "The conversation is forgotten.\n"));
  }

  async #answer(question: string): Promise<void> {
    const printer = new AnswerPrinter(this.#io.stdout, this.#paint);
    const stopping = new AbortController();
    this.#answering = stopping;
    this.#output.muted = true;
    try {
      const outcome = await this.#conversation.say(question, (piece) => printer.print(piece), stopping.signal);
      printer.finish();
      if (this.#stats) this.#note(outcomeText(outcome));
      if (outcome.finishReason === "stopped") this.#note("stopped");
    } catch (thrown) {
      printer.finish();
      this.#complain(ExoError.from(thrown));
    } finally {
      this.#answering = null;
      this.#output.muted = false;
    }
  }

  #note(text: string | null): void {
    if (text !== null) this.#io.stdout.write(this.#paint("dim", `(${text})\n`));
  }

  #complain(error: ExoError): void {
    const hint = error.code === "context_exceeded" ? " /clear makes room." : "";
    this.#io.stderr.write(`${this.#paint("red", "error:")} ${error.message}${hint}\n`);
  }

  #prompt(): void {
    this.#readline.setPrompt(this.#joiner.pending ? CONTINUED : PROMPT);
    this.#readline.prompt(true);
  }

  /** Ctrl-C: stops the answer; without one, drops what is typed. */
  #interrupt(): void {
    if (this.#answering !== null) {
      this.#answering.abort();
      return;
    }
    const typed = this.#readline.line !== "" || this.#joiner.pending;
    this.#joiner.reset();
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
    this.#io.stdout.write(typed ? "^C\n" : "\n(Ctrl-D or /exit leaves)\n");
    this.#prompt();
  }

  #leave(): void {
    this.#answering?.abort();
    this.#lines.end();
  }
}
