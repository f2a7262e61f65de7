import { ExoError } from "../../core/errors.js";
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
  /** The model's name in the API. */
  model: string;
  system: string | null;
  /** Fields of the request that say how to choose tokens. */
  fields: Readonly<Record<string, number>>;
  readonly #ask: Ask;
  readonly #now: () => number;
  #turns: readonly Message[] = [];

  constructor(options: {
    readonly ask: Ask;
    readonly model: string;
    readonly fields: Readonly<Record<string, number>>;
    readonly system: string | null;
    readonly now: () => number;
  }) {
    this.model = options.model;
    this.system = options.system;
    this.fields = options.fields;
    this.#ask = options.ask;
    this.#now = options.now;
  }

  get messages(): readonly Message[] {
    const opening: readonly Message[] = this.system === null ? [] : [{ role: "system", content: this.system }];
    return [...opening, ...this.#turns];
  }

  /** Questions that were answered. */
  get exchanges(): number {
    return this.#turns.filter(({ role }) => role === "user").length;
  }

  /** Forgets everything but the system prompt. */
  clear(): void {
    this.#turns = [];
  }

  /** Takes back the last question and its answer; returns the question, or `null` when there was none. */
  undo(): string | null {
    const at = this.#turns.findLastIndex(({ role }) => role === "user");
    const question = this.#turns[at];
    if (question === undefined) return null;
    this.#turns = this.#turns.slice(0, at);
    return question.content;
  }

  /** Goes on where another chat ended. */
  resume(messages: readonly Message[]): void {
    this.system = messages.find(({ role }) => role === "system")?.content ?? null;
    this.#turns = messages.filter(({ role }) => role !== "system");
  }

  /** Has the last question answered anew. When nothing comes of it the old answer stays. */
  async sayAgain(onPiece: (piece: ChatPiece) => void, signal: AbortSignal): Promise<AnswerOutcome> {
    const before = this.#turns;
    const question = this.undo();
    if (question === null)
      throw new ExoError("invalid_argument", "There is no question yet that could be asked again.");
    try {
      return await this.say(question, onPiece, signal);
    } finally {
      if (this.exchanges < before.filter(({ role }) => role === "user").length) this.#turns = before;
    }
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
      for await (const piece of this.#ask({ ...this.fields, model: this.model, messages }, signal)) {
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
