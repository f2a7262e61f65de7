import { z } from "zod";
import type { ChatMessage } from "../../core/inference.js";
import { jsonObject } from "../schema/json-object.js";
import { list } from "../schema/list.js";
import { wrongField } from "../schema/parse-body.js";

const MAX_MESSAGES = 10_000;
const MAX_BLOCKS = 10_000;

const text = z.object({ type: z.literal("text"), text: z.string() });
const texts = list(text, { min: 0, max: MAX_BLOCKS });

const toolUse = z.object({
  type: z.literal("tool_use"),
  id: z.string().min(1),
  name: z.string().min(1),
  input: jsonObject,
});

const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string().min(1),
  content: z.union([z.string(), texts], { error: "a string or an array of text blocks" }).nullish(),
  is_error: z.boolean().nullish(),
});

const thinking = z.object({ type: z.literal("thinking"), thinking: z.string() });
/** Thoughts that only Anthropic's own models can read. */
const redacted = z.object({ type: z.literal("redacted_thinking") });

const block = z.discriminatedUnion("type", [text, toolUse, toolResult, thinking, redacted], {
  error: '"text", "tool_use", "tool_result" or "thinking" (models here read text only)',
});

const message = z.object({
  role: z.enum(["user", "assistant", "system"]),
  content: z.union([z.string(), list(block, { min: 1, max: MAX_BLOCKS })], {
    error: "a string or an array of content blocks",
  }),
});

export const messagesField = list(message, { min: 1, max: MAX_MESSAGES });
export const systemField = z.union([z.string(), texts], { error: "a string or an array of text blocks" }).nullish();

type Message = z.output<typeof message>;
type Block = z.output<typeof block>;
type Text = z.output<typeof text>;

/** OpenAI's messages, which templates know: results of tools become messages of their own. */
export function toChatMessages(
  system: z.output<typeof systemField>,
  messages: readonly Message[],
  body: unknown,
): readonly ChatMessage[] {
  const instructions = typeof system === "string" ? system : (system ?? []).map((one) => one.text).join("\n\n");
  const converter = new MessageConverter(body);
  return [
    ...(instructions === "" ? [] : [{ role: "system", content: instructions }]),
    ...messages.flatMap((one, index) => converter.convert(one, index)),
  ];
}

class MessageConverter {
  readonly #body: unknown;
  /** By the id of the call: some templates tell results by the tool's name. */
  readonly #toolNames = new Map<string, string>();

  constructor(body: unknown) {
    this.#body = body;
  }

  convert({ role, content }: Message, index: number): readonly ChatMessage[] {
    if (typeof content === "string") return [{ role, content }];
    const allowed = role === "assistant" ? ASSISTANT_BLOCKS : role === "user" ? USER_BLOCKS : SYSTEM_BLOCKS;
    const wrong = content.findIndex(({ type }) => !allowed.has(type));
    if (wrong >= 0) {
      const expected = `a block that a message of the role "${role}" can have`;
      throw wrongField(["messages", index, "content", wrong, "type"], expected, this.#body);
    }
    if (role === "assistant") return [this.#fromAssistant(content)];
    return role === "user" ? this.#fromUser(content) : [{ role, content: joined(content.filter(isText)) }];
  }

  #fromAssistant(content: readonly Block[]): ChatMessage {
    const said = joined(content.filter(isText));
    const thought = content.flatMap((one) => (one.type === "thinking" ? [one.thinking] : [])).join("");
    const calls = content.filter((one) => one.type === "tool_use");
    for (const { id, name } of calls) this.#toolNames.set(id, name);
    return {
      role: "assistant",
      content: said === "" && calls.length > 0 ? null : said,
      ...(thought === "" ? {} : { reasoning_content: thought }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map(toToolCall) }),
    };
  }

  #fromUser(content: readonly Block[]): readonly ChatMessage[] {
    const messages: ChatMessage[] = [];
    let said: Text[] = [];
    const flush = (): void => {
      if (said.length > 0) messages.push({ role: "user", content: userContent(said) });
      said = [];
    };
    for (const one of content) {
      if (one.type === "text") said.push(one);
      if (one.type !== "tool_result") continue;
      flush();
      messages.push(this.#toResult(one));
    }
    flush();
    return messages;
  }

  #toResult({ tool_use_id: id, content, is_error }: z.output<typeof toolResult>): ChatMessage {
    const said = typeof content === "string" ? content : joined(content ?? [], "\n");
    const name = this.#toolNames.get(id);
    return {
      role: "tool",
      tool_call_id: id,
      ...(name === undefined ? {} : { name }),
      // Templates have no other way to tell it.
      content: is_error === true ? `Error: ${said}` : said,
    };
  }
}

const SYSTEM_BLOCKS: ReadonlySet<Block["type"]> = new Set<Block["type"]>(["text"]);
const USER_BLOCKS: ReadonlySet<Block["type"]> = new Set<Block["type"]>(["text", "tool_result"]);
const ASSISTANT_BLOCKS: ReadonlySet<Block["type"]> = new Set<Block["type"]>([
  "text",
  "tool_use",
  "thinking",
  "redacted_thinking",
]);

function isText(one: Block): one is Text {
  return one.type === "text";
}

function joined(blocks: readonly Text[], between = ""): string {
  return blocks.map((one) => one.text).join(between);
}

/** Several blocks stay apart: each template joins them in its own way. */
function userContent(blocks: readonly Text[]): unknown {
  const [first] = blocks;
  return blocks.length === 1 ? first?.text : blocks.map((one) => ({ type: "text", text: one.text }));
}

function toToolCall({ id, name, input }: z.output<typeof toolUse>) {
  return { id, type: "function", function: { name, arguments: JSON.stringify(input) } };
}
