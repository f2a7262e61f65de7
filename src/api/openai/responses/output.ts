import type { InferenceEvent, TokenLogprob, ToolCallDelta } from "../../../core/inference.js";
import {
  CallItem,
  type EventBody,
  type ItemStatus,
  MessageItem,
  type OutputItem,
  type OutputItemJson,
  ReasoningItem,
} from "./items.js";

type Delta = Extract<InferenceEvent, { type: "delta" }>;

interface Entry {
  readonly item: OutputItem;
  status: ItemStatus;
}

/** The items that an answer's deltas make. One is open at a time: what comes of another kind closes it. */
export class ResponseOutput {
  readonly #idSuffix: string;
  readonly #reasoningAsSummary: boolean;
  readonly #entries: Entry[] = [];
  #open: Entry | null = null;
  #call: number | null = null;

  /** @param idSuffix makes the items' ids unlike those of other responses */
  constructor(idSuffix: string, reasoningAsSummary: boolean) {
    this.#idSuffix = idSuffix;
    this.#reasoningAsSummary = reasoningAsSummary;
  }

  json(): readonly OutputItemJson[] {
    return this.#entries.map(({ item, status }) => item.json(status));
  }

  *push({ text, reasoning = "", toolCalls = [], logprobs = [] }: Delta): Generator<EventBody> {
    if (reasoning !== "") yield* this.#think(reasoning);
    if (text !== "") yield* this.#say(text, logprobs);
    for (const call of toolCalls) yield* this.#callTool(call);
  }

  /** An answer of nothing at all is an empty message. */
  *end(status: ItemStatus): Generator<EventBody> {
    if (this.#entries.length === 0) yield* this.#begin(new MessageItem(this.#place("msg")));
    yield* this.#close(status);
  }

  *#think(text: string): Generator<EventBody> {
    const open = this.#open?.item;
    const item = open instanceof ReasoningItem ? open : yield* this.#begin(this.#newReasoning());
    yield item.add(text);
  }

  *#say(text: string, logprobs: readonly TokenLogprob[]): Generator<EventBody> {
    const open = this.#open?.item;
    const item = open instanceof MessageItem ? open : yield* this.#begin(new MessageItem(this.#place("msg")));
    yield item.add(text, logprobs);
  }

  *#callTool(delta: ToolCallDelta): Generator<EventBody> {
    const open = this.#open?.item;
    const goesOn = open instanceof CallItem && this.#call === delta.index;
    const item = goesOn ? open : yield* this.#begin(new CallItem(this.#place("fc"), delta));
    this.#call = delta.index;
    if (delta.arguments !== undefined && delta.arguments !== "") yield item.add(delta.arguments);
  }

  *#begin<Item extends OutputItem>(item: Item): Generator<EventBody, Item> {
    yield* this.#close("completed");
    this.#open = { item, status: "in_progress" };
    this.#entries.push(this.#open);
    yield* item.begin();
    return item;
  }

  *#close(status: ItemStatus): Generator<EventBody> {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    open.status = status;
    yield* open.item.end(status);
  }

  #newReasoning(): ReasoningItem {
    return new ReasoningItem(this.#place("rs"), this.#reasoningAsSummary);
  }

  #place(kind: string) {
    // A new item comes after what is open, which is in the list.
    const index = this.#entries.length;
    return { id: `${kind}_${this.#idSuffix}${index}`, index };
  }
}
