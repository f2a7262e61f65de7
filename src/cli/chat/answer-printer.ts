import type { ChatPiece } from "../node-client/chat-stream.js";
import type { CliOutput } from "../terminal/cli-io.js";
import type { Paint } from "../terminal/paint.js";
import type { AnswerOutcome } from "./conversation.js";

/**
 * Writes an answer as it comes. What a model thinks before it answers is shown dimmed on a terminal and left out
 * elsewhere, where only the answer is wanted.
 */
export class AnswerPrinter {
  readonly #output: CliOutput;
  readonly #paint: Paint;
  #last: "nothing" | "reasoning" | "text" = "nothing";
  #endsWithBreak = true;

  constructor(output: CliOutput, paint: Paint) {
    this.#output = output;
    this.#paint = paint;
  }

  print(piece: ChatPiece): void {
    if (piece.type === "text") this.#printText(piece.text);
    else if (piece.type === "reasoning" && this.#output.isTTY === true) this.#printReasoning(piece.text);
  }

  /** Ends the line; the next answer may begin. */
  finish(): void {
    if (!this.#endsWithBreak) this.#output.write("\n");
    this.#endsWithBreak = true;
    this.#last = "nothing";
  }

  #printText(text: string): void {
    if (this.#last === "reasoning") this.#output.write("\n\n");
    // Many models begin with line breaks; at the top of an answer they are noise.
    this.#write(this.#last === "text" ? text : text.trimStart(), "text");
  }

  #printReasoning(text: string): void {
    const visible = this.#last === "nothing" ? text.trimStart() : text;
    if (visible === "") return;
    this.#output.write(this.#paint("dim", visible));
    this.#last = "reasoning";
    this.#endsWithBreak = visible.endsWith("\n");
  }

  #write(text: string, kind: "text"): void {
    if (text === "") return;
    this.#output.write(text);
    this.#last = kind;
    this.#endsWithBreak = text.endsWith("\n");
  }
}

/** `23 tokens at 11.2 tokens/s, the first after 0.42 s`; `null` when the node told no numbers. */
export function outcomeText(outcome: AnswerOutcome): string | null {
  if (outcome.numbers === null) return null;
  const { answerTokens, tokensPerSecond } = outcome.numbers;
  const speed = tokensPerSecond > 0 ? ` at ${tokensPerSecond.toFixed(tokensPerSecond < 10 ? 2 : 1)} tokens/s` : "";
  const first = outcome.firstPieceSeconds === null ? "" : `, the first after ${outcome.firstPieceSeconds.toFixed(2)} s`;
  const count = `${answerTokens} ${answerTokens === 1 ? "token" : "tokens"}`;
  return `${count}${speed}${first}${outcome.finishReason === "length" ? ", cut off at the limit" : ""}`;
}
