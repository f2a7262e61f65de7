import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { ChatMessage } from "../../core/inference.js";
import { Conversation, type TextPart } from "./conversation.js";
import { list } from "./list.js";
import { MAX_MESSAGES, notText } from "./messages.js";
import { wrongField } from "./parse-body.js";

const part = z.looseObject({ type: z.string(), text: z.string().nullish(), refusal: z.string().nullish() });
const parts = list(part, { min: 0, max: MAX_MESSAGES });
const content = z.union([z.string(), parts], { error: "a string or an array of text parts" });

/** One shape for every kind of item: which fields a kind needs is looked at when it is read. */
const item = z.looseObject({
  type: z.string().nullish(),
  role: z.enum(["system", "developer", "user", "assistant"]).nullish(),
  content: content.nullish(),
  call_id: z.string().nullish(),
  name: z.string().nullish(),
  arguments: z.string().nullish(),
  output: content.nullish(),
  summary: parts.nullish(),
});
type Item = z.output<typeof item>;
type Content = z.output<typeof content>;

export const inputField = z.union([z.string(), list(item, { min: 1, max: MAX_MESSAGES })], {
  error: "a string or an array of items",
});

/** The messages that a response answers. What an assistant thought, said and called in a row is one message. */
export function toConversation(
  input: z.output<typeof inputField>,
  instructions: string | null,
  body: unknown,
): readonly ChatMessage[] {
  const conversation = new Conversation();
  if (instructions !== null) conversation.add({ role: "system", content: instructions });
  if (typeof input === "string") conversation.add({ role: "user", content: input });
  else for (const [index, one] of input.entries()) readItem(conversation, one, ["input", index], body);
  return conversation.messages();
}

type Path = readonly PropertyKey[];

function readItem(conversation: Conversation, one: Item, path: Path, body: unknown): void {
  const type = one.type ?? "message";
  if (type === "message") readMessage(conversation, one, path, body);
  else if (type === "function_call") {
    conversation.assistantCalls({
      id: given(one.call_id, [...path, "call_id"], body),
      name: given(one.name, [...path, "name"], body),
      arguments: given(one.arguments, [...path, "arguments"], body),
    });
  } else if (type === "function_call_output") {
    const output = given(one.output, [...path, "output"], body);
    conversation.add({
      role: "tool",
      tool_call_id: given(one.call_id, [...path, "call_id"], body),
      content: plain(textParts(output, [...path, "output"], body)),
    });
  } else if (type === "reasoning") {
    conversation.assistantThinks(reasoningText(one));
  } else throw notAnItem(type, path);
}

function readMessage(conversation: Conversation, one: Item, path: Path, body: unknown): void {
  const { role } = one;
  if (role === undefined || role === null) throw wrongField([...path, "role"], "a role", body);
  const text = textParts(given(one.content, [...path, "content"], body), [...path, "content"], body);
  if (role === "assistant") conversation.assistantSays(text);
  else conversation.add({ role, content: plain(text) });
}

function given<Value>(value: Value | null | undefined, path: Path, body: unknown): Value {
  if (value === undefined || value === null) throw wrongField(path, "a value", body);
  return value;
}

const TEXT_PARTS: ReadonlySet<string> = new Set(["input_text", "output_text", "text", "summary_text", "refusal"]);

function textParts(value: Content, path: Path, body: unknown): readonly TextPart[] {
  if (typeof value === "string") return [{ type: "text", text: value }];
  return value.map(({ type, text, refusal }, index) => {
    if (!TEXT_PARTS.has(type)) throw notText(type, [...path, index]);
    const field = type === "refusal" ? "refusal" : "text";
    return { type: "text", text: given(field === "text" ? text : refusal, [...path, index, field], body) };
  });
}

/** One part is as well plain text, which every template takes. */
function plain(parts: readonly TextPart[]): string | readonly TextPart[] {
  const [only, ...others] = parts;
  return others.length === 0 ? (only?.text ?? "") : parts;
}

/** The reasoning itself, or what of it was told. */
function reasoningText({ content: said, summary }: Item): string {
  if (typeof said === "string") return said;
  const told = said !== undefined && said !== null && said.length > 0 ? said : (summary ?? []);
  return told.map(({ text }) => text ?? "").join("\n\n");
}

function notAnItem(type: string, path: Path): ExoError {
  const name = JSON.stringify(type.slice(0, 40));
  const why = type === "item_reference" ? "nothing is kept here that it could name" : "no tool of that kind runs here";
  return new ExoError(
    "unsupported",
    `An input item of type ${name} is not supported: ${why}. Send messages, reasoning, function_call and function_call_output.`,
    { param: `input[${String(path[1])}].type` },
  );
}
