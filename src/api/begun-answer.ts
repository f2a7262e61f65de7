import { ExoError } from "../core/errors.js";
import type { ChatMessage, ChatPrompt, InferenceService, TextPrompt } from "../core/inference.js";

/** A conversation whose last message is the beginning of the answer. */
export interface BegunAnswer {
  /** The conversation before it. */
  readonly prompt: ChatPrompt;
  readonly beginning: string;
}

/** Anthropic's and Ollama's clients begin the answer themselves by a last message of the assistant; `null`: they do not. */
export function begunAnswer(prompt: ChatPrompt): BegunAnswer | null {
  const last = prompt.messages.at(-1);
  if (last === undefined || last.role !== "assistant" || typeof last.content !== "string" || callsTools(last)) {
    return null;
  }
  return { prompt: { ...prompt, messages: prompt.messages.slice(0, -1) }, beginning: last.content };
}

function callsTools({ tool_calls: calls }: ChatMessage): boolean {
  return Array.isArray(calls) && calls.length > 0;
}

/** The whole prompt as text. An answer that has begun with words is past thinking, and past calling a tool. */
export async function begunPrompt(
  inference: InferenceService,
  model: string,
  { prompt, beginning }: BegunAnswer,
  signal: AbortSignal,
): Promise<TextPrompt> {
  if (prompt.tools !== undefined && prompt.toolChoice !== "none") {
    const message = "An answer that a last message of the assistant begins cannot use tools; leave out one of the two.";
    throw new ExoError("unsupported", message, { param: "messages" });
  }
  if (prompt.messages.length === 0) return { kind: "text", prompt: beginning };
  const before = await inference.applyTemplate(model, { ...prompt, enableThinking: false }, signal);
  return { kind: "text", prompt: before + beginning };
}
