import type { ChatPrompt } from "../core/inference.js";
import type { Stage } from "../native/stage.js";
import { commonLength } from "./cached-tokens.js";

/**
 * How many tokens the system prompt and the tools take at the start of a chat: what it has in common with one that asks
 * nothing. 0 where there are none, or where the template takes no such chat.
 *
 * @param tokens the whole chat
 */
export function systemTokens(
  { chat, tokenizer }: Pick<Stage, "chat" | "tokenizer">,
  input: ChatPrompt,
  tokens: readonly number[],
): number {
  const others = input.messages.findIndex(({ role }) => role !== "system" && role !== "developer");
  if (others < 0 || (others === 0 && input.tools === undefined)) return 0;
  try {
    const messages = [...input.messages.slice(0, others), { role: "user", content: "" }];
    const { prompt } = chat.render({ ...input, messages });
    return commonLength(tokens, tokenizer.encode(prompt, { addSpecial: true, parseSpecial: true }));
  } catch {
    return 0;
  }
}
