import { createHash, type Hash } from "node:crypto";
import { newId } from "../../core/ids.js";
import type { InferenceEvent, ToolCallDelta } from "../../core/inference.js";
import type { BlockDelta, ContentBlock, MessageEvent } from "./message.js";

type Delta = Extract<InferenceEvent, { type: "delta" }>;

/** What kind of block takes further text: a number is a tool call's index. */
type Kind = "text" | "thinking" | number;

/** Cuts the deltas of an answer into content blocks, of which one is open at a time. */
export class BlockSequence {
  #index = -1;
  #open: Kind | null = null;
  #thoughts: Hash | null = null;

  *add({ text, reasoning = "", toolCalls = [] }: Delta): Generator<MessageEvent, void> {
    if (reasoning !== "") {
      yield* this.#enter("thinking", { type: "thinking", thinking: "", signature: "" });
      this.#thoughts = (this.#thoughts ?? createHash("sha256")).update(reasoning);
      yield this.#delta({ type: "thinking_delta", thinking: reasoning });
    }
    if (text !== "") {
      yield* this.#enter("text", { type: "text", text: "", citations: null });
      yield this.#delta({ type: "text_delta", text });
    }
    for (const call of toolCalls) yield* this.#call(call);
  }

  *close(): Generator<MessageEvent, void> {
    if (this.#open === null) return;
    if (this.#thoughts !== null) {
      // Clients send a thought back only with a signature. This one lets nobody prove anything, and is not checked.
      yield this.#delta({ type: "signature_delta", signature: this.#thoughts.digest("base64") });
    }
    this.#thoughts = null;
    this.#open = null;
    yield { type: "content_block_stop", index: this.#index };
  }

  *#call({ index, id, name = "", arguments: json = "" }: ToolCallDelta): Generator<MessageEvent, void> {
    yield* this.#enter(index, { type: "tool_use", id: id || newId("toolu"), name, input: {} });
    if (json !== "") yield this.#delta({ type: "input_json_delta", partial_json: json });
  }

  *#enter(kind: Kind, block: ContentBlock): Generator<MessageEvent, void> {
    if (this.#open === kind) return;
    yield* this.close();
    this.#open = kind;
    this.#index += 1;
    yield { type: "content_block_start", index: this.#index, content_block: block };
  }

  #delta(delta: BlockDelta): MessageEvent {
    return { type: "content_block_delta", index: this.#index, delta };
  }
}
