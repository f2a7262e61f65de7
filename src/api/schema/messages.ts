import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatMessage } from "../../core/inference.js";
import { list } from "./list.js";
import { fieldName, wrongField } from "./parse-body.js";

export const MAX_MESSAGES = 10_000;

const toolCall = z.looseObject({
  id: z.string().nullish(),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});

const contentPart = z.looseObject({ type: z.string(), text: z.string().optional(), refusal: z.string().optional() });
type ContentPart = z.output<typeof contentPart>;

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
  return messages.map((message, index) => {
    const { role, content, tool_calls } = message;
    const missing = content === undefined || content === null;
    const calls = tool_calls?.length ?? 0;
    if (missing && (role !== "assistant" || calls === 0)) {
      const expected = role === "assistant" ? "content or tool_calls" : "a string or an array of text parts";
      throw wrongField(["messages", index, "content"], expected, body);
    }
    if (!Array.isArray(content)) return message;
    return { ...message, content: content.map((part, at) => textPart(part, ["messages", index, "content", at], body)) };
  });
}

/** A part as templates take it; what an assistant refused in is text like any other. */
function textPart(part: ContentPart, path: readonly PropertyKey[], body: unknown): ContentPart {
  if (part.type !== "text" && part.type !== "refusal") throw notText(part.type, path);
  const text = part.type === "text" ? part.text : part.refusal;
  if (text === undefined) throw wrongField([...path, part.type], "a string", body);
  return part.type === "text" ? part : { type: "text", text };
}

/** @param path of the part */
export function notText(type: string, path: readonly PropertyKey[]): ExoError {
  const message =
    `The model reads text only, so it cannot be sent a part of type ${JSON.stringify(type.slice(0, 40))}; ` +
    "leave it out, or say in words what is in it.";
  const param = fieldName([...path, "type"]);
  return new ExoError("unsupported", message, param === null ? {} : { param });
}
