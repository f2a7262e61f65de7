import type { ChatEvent, ToolCallPiece } from "../api/chat-events.js";
import type { Answer, Ending, Failure, ToolCall } from "./conversation.js";
import { Speed } from "./speed.js";

/** An answer that is being written, put together of the events that come. */
export class AnswerDraft {
  readonly #base: { readonly id: string; readonly parent: string; readonly model: string };
  readonly #speed: Speed;
  readonly #toolCalls = new Map<number, ToolCall>();
  #text = "";
  #reasoning = "";
  #requestId = "";
  #ending: Ending = "complete";

  /** @param now milliseconds of any origin, when the question was sent */
  constructor(base: { readonly id: string; readonly parent: string; readonly model: string }, now: number) {
    this.#base = base;
    this.#speed = new Speed(now);
  }

  add(event: ChatEvent, now: number): void {
    this.#speed.add(event, now);
    if (event.kind === "accepted") this.#requestId = event.requestId;
    else if (event.kind === "text") this.#text += event.text;
    else if (event.kind === "reasoning") this.#reasoning += event.text;
    else if (event.kind === "tool-call") this.#addToolCall(event.piece);
    else if (event.kind === "finished") this.#ending = endingOf(event.reason);
  }

  /** How long nothing came, milliseconds; `null` once something did. */
  waited(now: number): number | null {
    return this.#speed.waited(now);
  }

  /** As it is while it is being written. */
  soFar(): Answer {
    return this.#answer("writing", null);
  }

  finished(): Answer {
    return this.#answer(this.#ending, null);
  }

  stopped(): Answer {
    return this.#answer("stopped", null);
  }

  failed(failure: Failure): Answer {
    return this.#answer("failed", failure);
  }

  #answer(ending: Ending, failure: Failure | null): Answer {
    return {
      ...this.#base,
      role: "assistant",
      text: this.#text,
      reasoning: this.#reasoning,
      toolCalls: [...this.#toolCalls.values()],
      ending,
      failure,
      facts: this.#speed.facts(),
      requestId: this.#requestId,
    };
  }

  #addToolCall({ index, id, name, arguments: text }: ToolCallPiece): void {
    const before = this.#toolCalls.get(index) ?? { id: "", name: "", arguments: "" };
    this.#toolCalls.set(index, {
      id: id ?? before.id,
      name: name ?? before.name,
      arguments: before.arguments + text,
    });
  }
}

function endingOf(reason: string): Ending {
  return reason === "length" || reason === "tool_calls" ? reason : "complete";
}
