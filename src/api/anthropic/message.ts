import { ExoError } from "../../core/errors.js";
import type { Usage } from "../../core/inference.js";
import type { JsonObject } from "../schema/json-object.js";

/** Anthropic's message and the events that build it up; wire names. */
export interface Message {
  readonly id: string;
  readonly type: "message";
  readonly role: "assistant";
  readonly model: string;
  readonly content: readonly ContentBlock[];
  readonly stop_reason: StopReason | null;
  readonly stop_sequence: string | null;
  readonly usage: MessageUsage;
}

export type StopReason = "end_turn" | "max_tokens" | "stop_sequence" | "tool_use";

export interface MessageUsage {
  /** Without those that were in a KV cache. */
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly output_tokens: number;
}

export type ContentBlock =
  | { readonly type: "text"; readonly text: string; readonly citations: null }
  | { readonly type: "thinking"; readonly thinking: string; readonly signature: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: JsonObject };

export type BlockDelta =
  | { readonly type: "text_delta"; readonly text: string }
  | { readonly type: "thinking_delta"; readonly thinking: string }
  | { readonly type: "signature_delta"; readonly signature: string }
  | { readonly type: "input_json_delta"; readonly partial_json: string };

export type MessageEvent =
  | { readonly type: "message_start"; readonly message: Message }
  | { readonly type: "ping" }
  | { readonly type: "content_block_start"; readonly index: number; readonly content_block: ContentBlock }
  | { readonly type: "content_block_delta"; readonly index: number; readonly delta: BlockDelta }
  | { readonly type: "content_block_stop"; readonly index: number }
  | {
      readonly type: "message_delta";
      readonly delta: Pick<Message, "stop_reason" | "stop_sequence">;
      readonly usage: MessageUsage;
    }
  | { readonly type: "message_stop" };

export function messageUsage({ promptTokens, cachedTokens, completionTokens }: Omit<Usage, DraftTokens>): MessageUsage {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

type DraftTokens = "acceptedDraftTokens" | "rejectedDraftTokens";

/** The message that the events of a stream add up to. */
export async function wholeMessage(events: AsyncIterable<MessageEvent>): Promise<Message> {
  const builder = new MessageBuilder();
  for await (const event of events) builder.add(event);
  return builder.build();
}

class MessageBuilder {
  #message: Message | null = null;
  readonly #content: ContentBlock[] = [];
  /** A tool's input so far. */
  #json = "";

  add(event: MessageEvent): void {
    switch (event.type) {
      case "message_start":
        this.#message = event.message;
        break;
      case "content_block_start":
        this.#content.push(event.content_block);
        this.#json = "";
        break;
      case "content_block_delta":
        this.#replaceLast((block) => this.#grown(block, event.delta));
        break;
      case "content_block_stop":
        this.#replaceLast((block) => (block.type === "tool_use" ? { ...block, input: inputOf(this.#json) } : block));
        break;
      case "message_delta":
        if (this.#message !== null) this.#message = { ...this.#message, ...event.delta, usage: event.usage };
        break;
    }
  }

  build(): Message {
    if (this.#message === null) throw new ExoError("internal", "The answer ended before it began.");
    return { ...this.#message, content: this.#content };
  }

  #replaceLast(change: (block: ContentBlock) => ContentBlock): void {
    const last = this.#content.pop();
    if (last !== undefined) this.#content.push(change(last));
  }

  #grown(block: ContentBlock, delta: BlockDelta): ContentBlock {
    if (delta.type === "input_json_delta") this.#json += delta.partial_json;
    if (block.type === "text" && delta.type === "text_delta") return { ...block, text: block.text + delta.text };
    if (block.type !== "thinking") return block;
    if (delta.type === "thinking_delta") return { ...block, thinking: block.thinking + delta.thinking };
    return delta.type === "signature_delta" ? { ...block, signature: delta.signature } : block;
  }
}

/** Input that was cut off by `max_tokens` is no JSON; clients expect an object all the same. */
function inputOf(json: string): JsonObject {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
