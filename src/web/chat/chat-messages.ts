import type { Answer, Turn } from "./conversation.js";

/** A message as `POST /v1/chat/completions` takes it. */
export type ChatMessage = Readonly<Record<string, unknown>> & { readonly role: string };

/**
 * What the model is told of a conversation. A question that got no answer is left out, unless it is the last: many
 * templates insist that roles alternate.
 */
export function chatMessages(systemPrompt: string, branch: readonly Turn[]): readonly ChatMessage[] {
  const messages: ChatMessage[] = systemPrompt === "" ? [] : [{ role: "system", content: systemPrompt }];
  for (const turn of branch) {
    if (messages.at(-1)?.role === "user") {
      if (turn.role === "user" || isEmpty(turn)) messages.pop();
    }
    if (turn.role === "user") messages.push({ role: "user", content: turn.text });
    else if (!isEmpty(turn)) messages.push(answerMessage(turn));
  }
  return messages;
}

function isEmpty({ text, toolCalls }: Answer): boolean {
  return text === "" && toolCalls.length === 0;
}

function answerMessage({ text, toolCalls }: Answer): ChatMessage {
  if (toolCalls.length === 0) return { role: "assistant", content: text };
  const calls = toolCalls.map(({ id, name, arguments: json }) => ({
    id,
    type: "function",
    function: { name, arguments: json },
  }));
  return { role: "assistant", content: text, tool_calls: calls };
}
