import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatMessage } from "../../core/inference.js";
import { list } from "./list.js";
import { wrongField } from "./parse-body.js";

const MAX_MESSAGES = 10_000;

const toolCall = z.looseObject({
  id: z.string().nullish(),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});

const contentPart = z.looseObject({ type: z.string(), text: z.string().optional() });

/** Kept loose: templates know fields of their own, so what is not named here passes as it came. */
const message = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
  content: z
    .union([z.string(), list(contentPart, { min: 0, max: MAX_MESSAGES })], {
      error: "a string or an array of text parts",
    })
    .nullish(),
  name: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  tool_call_id: z.string().nullish(),
  tool_calls: list(toolCall, { min: 0, max: MAX_MESSAGES }).nullish(),
});

export const messagesField = list(message, { min: 1, max: MAX_MESSAGES });
type Message = z.output<typeof message>;

/** What the schema cannot say: which role needs content, and that parts are text. */
export function toMessages(messages: readonly Message[], body: unknown): readonly ChatMessage[] {
  for (const [index, { role, content, tool_calls }] of messages.entries()) {
    const missing = content === undefined || content === null;
    const calls = tool_calls?.length ?? 0;
    if (missing && (role !== "assistant" || calls === 0)) {
      const expected = role === "assistant" ? "content or tool_calls" : "a string or an array of text parts";
      throw wrongField(["messages", index, "content"], expected, body);
    }
    if (Array.isArray(content)) refuseMedia(content, index, body);
  }
  return messages;
}

function refuseMedia(parts: readonly z.output<typeof contentPart>[], message: number, body: unknown): void {
  for (const [index, part] of parts.entries()) {
    if (part.type === "text") {
      if (part.text === undefined) throw wrongField(["messages", message, "content", index, "text"], "a string", body);
      continue;
    }
    throw new ExoError(
      "unsupported",
      `A part of type ${JSON.stringify(part.type.slice(0, 40))} is not supported in a message; only "text" is.`,
      { param: `messages[${message}].content[${index}].type` },
    );
  }
}
