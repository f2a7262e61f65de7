import { z } from "zod";
import type { ChatMessage, ChatPrompt, TextPrompt } from "../../core/inference.js";
import { parseBody } from "../schema/parse-body.js";
import { REFUSED_IN_GENERATE, refuseFields } from "../schema/refused-fields.js";
import { toolFields, toTools } from "../schema/tools.js";
import { messagesField, toChatMessages } from "./messages.js";
import { commonFields, type OllamaSettings, toSettings } from "./options.js";

const chatSchema = z.object({ ...commonFields, messages: messagesField, tools: toolFields.tools });

const generateSchema = z.object({
  ...commonFields,
  prompt: z.string().nullish(),
  system: z.string().nullish(),
  raw: z.boolean().nullish(),
});

export interface OllamaQuestion extends OllamaSettings {
  /** `null`: nothing is asked; the model is to be loaded, or unloaded. */
  readonly prompt: ChatPrompt | TextPrompt | null;
}

/** The body of `POST /api/chat`. */
export function parseOllamaChat(body: unknown): OllamaQuestion {
  const parsed = parseBody(chatSchema, body);
  const settings = toSettings(parsed, body);
  const messages = toChatMessages(parsed.messages ?? []);
  if (messages.length === 0) return { ...settings, prompt: null };
  return { ...settings, prompt: { ...chatPrompt(settings, messages), ...toTools({ tools: parsed.tools }) } };
}

/** The body of `POST /api/generate`. */
export function parseGenerate(body: unknown): OllamaQuestion {
  refuseFields(REFUSED_IN_GENERATE, body);
  const parsed = parseBody(generateSchema, body);
  const settings = toSettings(parsed, body);
  const prompt = parsed.prompt ?? "";
  if (prompt === "") return { ...settings, prompt: null };
  if (parsed.raw === true) return { ...settings, prompt: { kind: "text", prompt } };
  const question = { role: "user", content: prompt };
  const messages = parsed.system ? [{ role: "system", content: parsed.system }, question] : [question];
  return { ...settings, prompt: chatPrompt(settings, messages) };
}

function chatPrompt({ enableThinking }: OllamaSettings, messages: readonly ChatMessage[]): ChatPrompt {
  return { kind: "chat", messages, ...(enableThinking === null ? {} : { enableThinking }) };
}
