import type { AnswerNumbers, ChatPiece } from "../node-client/chat-stream.js";
import type { ChatRequest } from "../node-client/node-client.js";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Asks a model: `NodeClient.chat`, bound to a node. */
export type Ask = (request: ChatRequest, signal: AbortSignal) => AsyncIterable<ChatPiece>;

/** What one question brought. */
export interface AnswerOutcome {
  readonly text: string;
  /** `stop`, `length`, …; `stopped` when the user stopped it. */
  readonly finishReason: string;
  readonly numbers: AnswerNumbers | null;
  /** From the question to the first piece; `null` when none came. */
  readonly firstPieceSeconds: number | null;
}

/** The turns of one chat, and how to ask for the next. */
export class Conversation {
  readonly #ask: Ask;
  readonly #model: string;
  readonly #fields: Readonly<Record<string, number>>;
  readonly #opening: readonly Message[];
  readonly #now: () => number;
  #turns: readonly Message[] = [];

  constructor(options: {
    readonly ask: Ask;
    readonly model: string;
    readonly fields: Readonly<Record<string, number>>;
    readonly system: string | null;
    readonly now: () => number;
  }) {
    this.#ask = options.ask;
    this.#model = options.model;
    this.#fields = options.fields;
    this.#opening = options.system === null ? [] : [{ role: "system", content: options.system }];
    this.#now = options.now;
  }

  get messages(): readonly Message[] {
    return [...this.#opening, ...this.#turns];
  }

  /** Forgets everything but the system prompt. */
  clear(): void {
    this.#turns = [];
  }

  /**
   * Asks and calls back with each piece. When the signal aborts, what had come so far stays in the conversation as the
   * answer; a question that failed is forgotten, so that it can be asked again.
   */
  async say(question: string, onPiece: (piece: ChatPiece) => void, signal: AbortSignal): Promise<AnswerOutcome> {
    const asked: Message = { role: "user", content: question };
    const outcome = await this.#receive([...this.messages, asked], onPiece, signal);
    if (outcome.text !== "") this.#turns = [...this.#turns, asked, { role: "assistant", content: outcome.text }];
    return outcome;
  }

  async #receive(
    messages: readonly Message[],
    onPiece: (piece: ChatPiece) => void,
    signal: AbortSignal,
  ): Promise<AnswerOutcome> {
    const askedAt = this.#now();
    let outcome: AnswerOutcome = { text: "", finishReason: "stopped", numbers: null, firstPieceSeconds: null };
    try {
      for await (const piece of this.#ask({ ...this.#fields, model: this.#model, messages }, signal)) {
        outcome = this.#extended(outcome, piece, askedAt);
        onPiece(piece);
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
    }
    return outcome;
  }

  #extended(outcome: AnswerOutcome, piece: ChatPiece, askedAt: number): AnswerOutcome {
    const firstPieceSeconds = outcome.firstPieceSeconds ?? (this.#now() - askedAt) / 1000;
    if (piece.type === "text") return { ...outcome, firstPieceSeconds, text: outcome.text + piece.text };
    if (piece.type === "reasoning") return { ...outcome, firstPieceSeconds };
    return { ...outcome, finishReason: piece.finishReason, numbers: piece.numbers };
  }
}
