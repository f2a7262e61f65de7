import type { TokenLogprob, ToolCallDelta } from "../../../core/inference.js";
import { logprobJson } from "../logprob.js";

export type ItemStatus = "in_progress" | "completed" | "incomplete";

/** An event as its item knows it; the stream adds its number. */
export interface EventBody {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface OutputItemJson {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Where an item stands. */
export interface ItemPlace {
  readonly id: string;
  readonly index: number;
}

/** One item of a response's output, growing. */
export interface OutputItem {
  /** Its events before the first piece. */
  begin(): readonly EventBody[];
  /** Its events after the last piece. */
  end(status: ItemStatus): readonly EventBody[];
  json(status: ItemStatus): OutputItemJson;
}

function itemEvent(type: "added" | "done", { index }: ItemPlace, item: OutputItemJson): EventBody {
  return { type: `response.output_item.${type}`, output_index: index, item };
}

export class MessageItem implements OutputItem {
  readonly #place: ItemPlace;
  readonly #logprobs: ReturnType<typeof logprobJson>[] = [];
  #text = "";

  constructor(place: ItemPlace) {
    this.#place = place;
  }

  add(text: string, logprobs: readonly TokenLogprob[]): EventBody {
    const told = logprobs.map(logprobJson);
    this.#text += text;
    for (const one of told) this.#logprobs.push(one);
    return { type: "response.output_text.delta", ...this.#at(), delta: text, logprobs: told };
  }

  begin(): readonly EventBody[] {
    return [
      itemEvent("added", this.#place, { ...this.json("in_progress"), content: [] }),
      { type: "response.content_part.added", ...this.#at(), part: this.#part() },
    ];
  }

  end(status: ItemStatus): readonly EventBody[] {
    return [
      { type: "response.output_text.done", ...this.#at(), text: this.#text, logprobs: [...this.#logprobs] },
      { type: "response.content_part.done", ...this.#at(), part: this.#part() },
      itemEvent("done", this.#place, this.json(status)),
    ];
  }

  json(status: ItemStatus): OutputItemJson {
    return { id: this.#place.id, type: "message", status, role: "assistant", content: [this.#part()] };
  }

  #part() {
    return { type: "output_text", text: this.#text, annotations: [], logprobs: [...this.#logprobs] };
  }

  #at() {
    return { item_id: this.#place.id, output_index: this.#place.index, content_index: 0 };
  }
}

/** What a model thinks. Nothing sums it up, so a client that asks for a summary gets all of it in the summary's place. */
export class ReasoningItem implements OutputItem {
  readonly #place: ItemPlace;
  readonly #asSummary: boolean;
  #text = "";

  constructor(place: ItemPlace, asSummary: boolean) {
    this.#place = place;
    this.#asSummary = asSummary;
  }

  add(text: string): EventBody {
    this.#text += text;
    return { type: `${this.#textEvent()}.delta`, ...this.#at(), delta: text };
  }

  begin(): readonly EventBody[] {
    return [
      itemEvent("added", this.#place, { ...this.json("in_progress"), summary: [], content: [] }),
      { type: `${this.#partEvent()}.added`, ...this.#at(), part: this.#part() },
    ];
  }

  end(status: ItemStatus): readonly EventBody[] {
    return [
      { type: `${this.#textEvent()}.done`, ...this.#at(), text: this.#text },
      { type: `${this.#partEvent()}.done`, ...this.#at(), part: this.#part() },
      itemEvent("done", this.#place, this.json(status)),
    ];
  }

  json(status: ItemStatus): OutputItemJson {
    const part = [this.#part()];
    const [summary, content] = this.#asSummary ? [part, []] : [[], part];
    return { id: this.#place.id, type: "reasoning", status, summary, content, encrypted_content: null };
  }

  #part() {
    return { type: this.#asSummary ? "summary_text" : "reasoning_text", text: this.#text };
  }

  #textEvent(): string {
    return this.#asSummary ? "response.reasoning_summary_text" : "response.reasoning_text";
  }

  #partEvent(): string {
    return this.#asSummary ? "response.reasoning_summary_part" : "response.content_part";
  }

  #at() {
    const index = this.#asSummary ? { summary_index: 0 } : { content_index: 0 };
    return { item_id: this.#place.id, output_index: this.#place.index, ...index };
  }
}

export class CallItem implements OutputItem {
  readonly #place: ItemPlace;
  readonly #callId: string;
  readonly #name: string;
  #arguments = "";

  constructor(place: ItemPlace, { id = "", name = "" }: ToolCallDelta) {
    this.#place = place;
    this.#callId = id;
    this.#name = name;
  }

  add(text: string): EventBody {
    this.#arguments += text;
    return { type: "response.function_call_arguments.delta", ...this.#at(), delta: text };
  }

  begin(): readonly EventBody[] {
    return [itemEvent("added", this.#place, this.json("in_progress"))];
  }

  end(status: ItemStatus): readonly EventBody[] {
    const done = { name: this.#name, arguments: this.#arguments };
    return [
      { type: "response.function_call_arguments.done", ...this.#at(), ...done },
      itemEvent("done", this.#place, this.json(status)),
    ];
  }

  json(status: ItemStatus): OutputItemJson {
    return {
      id: this.#place.id,
      type: "function_call",
      status,
      call_id: this.#callId,
      name: this.#name,
      arguments: this.#arguments,
    };
  }

  #at() {
    return { item_id: this.#place.id, output_index: this.#place.index };
  }
}
