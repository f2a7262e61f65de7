import { z } from "zod";
import type { ChatMessage } from "../../core/inference.js";
import { jsonObject } from "../schema/json-object.js";
import { list } from "../schema/list.js";
import { REFUSED_IN_OLLAMA_MESSAGE, refuseFields } from "../schema/refused-fields.js";

const MAX_MESSAGES = 10_000;

const toolCall = z.object({
  id: z.string().nullish(),
  function: z.object({ name: z.string().min(1), arguments: jsonObject.nullish() }),
});

const message = z.object({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string().nullish(),
  thinking: z.string().nullish(),
  images: z.unknown().optional(),
  tool_calls: list(toolCall, { min: 0, max: MAX_MESSAGES }).nullish(),
  tool_name: z.string().nullish(),
  tool_call_id: z.string().nullish(),
});

export const messagesField = list(message, { min: 0, max: MAX_MESSAGES }).nullish();
type Message = z.output<typeof message>;
type Call = z.output<typeof toolCall>;

/** OpenAI's messages, which templates know. Ollama's calls may lack ids; those of a result are then found by its tool. */
export function toChatMessages(messages: readonly Message[]): readonly ChatMessage[] {
  const converter = new MessageConverter();
  return messages.map((one) => converter.convert(one));
}

class MessageConverter {
  #calls = 0;
  /** Calls that have no result yet. */
  #open: { readonly id: string; readonly name: string }[] = [];

  convert(message: Message): ChatMessage {
    refuseFields(REFUSED_IN_OLLAMA_MESSAGE, message);
    const { role, content, thinking } = message;
    if (role === "tool") return this.#fromTool(message);
    const calls = (message.tool_calls ?? []).map((call) => this.#fromCall(call));
    return {
      role,
      content: content ?? "",
      ...(thinking ? { reasoning_content: thinking } : {}),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    };
  }

  #fromCall({ id: given, function: { name, arguments: input } }: Call) {
    const id = given || `call_${this.#calls}`;
    this.#calls += 1;
    this.#open.push({ id, name });
    return { id, type: "function", function: { name, arguments: JSON.stringify(input ?? {}) } };
  }

  #fromTool({ content, tool_name: tool, tool_call_id: given }: Message): ChatMessage {
    const call = given
      ? this.#open.find(({ id }) => id === given)
      : (this.#open.find(({ name }) => name === tool) ?? this.#open[0]);
    this.#open = this.#open.filter((one) => one !== call);
    const id = given || call?.id;
    const name = tool || call?.name;
    return {
      role: "tool",
      content: content ?? "",
      ...(id ? { tool_call_id: id } : {}),
      ...(name ? { name } : {}),
    };
  }
}
