import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { chatStream } from "../api/chat-stream.js";
import type { Server } from "../api/server.js";
import { ServerError, sentenceOf } from "../api/server-error.js";
import { FramePainter } from "../app/frame-painter.js";
import { AnswerDraft } from "./answer-draft.js";
import type { Answer, Failure } from "./conversation.js";

const TICK_MILLISECONDS = 100;

export interface AnswerBase {
  readonly id: string;
  readonly parent: string;
  readonly model: string;
}

/** An answer while it comes. What is shown of it changes once per frame, not with every token. */
export class RunningAnswer {
  readonly #draft: AnswerDraft;
  readonly #abort = new AbortController();
  readonly #shown: Signal<Answer>;
  readonly #waited = signal<number | null>(0);
  /** Of the turn that it becomes. */
  readonly id: string;

  constructor(base: AnswerBase) {
    this.id = base.id;
    this.#draft = new AnswerDraft(base, performance.now());
    this.#shown = signal(this.#draft.soFar());
  }

  get shown(): ReadonlySignal<Answer> {
    return this.#shown;
  }

  /** Milliseconds without a token; `null` once there is one. */
  get waited(): ReadonlySignal<number | null> {
    return this.#waited;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Receives to the end, whatever that is. */
  async receive(server: Server, body: Readonly<Record<string, unknown>>): Promise<Answer> {
    const painter = new FramePainter(() => this.#show());
    const ticking = setInterval(() => this.#tick(), TICK_MILLISECONDS);
    try {
      for await (const event of chatStream(server, body, this.#abort.signal)) {
        this.#draft.add(event, performance.now());
        painter.ask();
      }
      return this.#draft.finished();
    } catch (thrown) {
      return this.#abort.signal.aborted ? this.#draft.stopped() : this.#draft.failed(failureOf(thrown));
    } finally {
      clearInterval(ticking);
      this.#show();
    }
  }

  /** As it is now, to be kept. */
  soFar(): Answer {
    return this.#draft.soFar();
  }

  #show(): void {
    this.#shown.value = this.#draft.soFar();
    this.#tick();
  }

  #tick(): void {
    this.#waited.value = this.#draft.waited(performance.now());
  }
}

function failureOf(thrown: unknown): Failure {
  const details = thrown instanceof ServerError ? thrown : new ServerError(sentenceOf(thrown));
  return { message: details.message, code: details.code, retryAfterSeconds: details.retryAfterSeconds };
}
