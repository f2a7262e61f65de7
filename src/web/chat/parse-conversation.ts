import { at, listAt, numberAt, optionalNumberAt, optionalTextAt, textAt } from "../api/json.js";
import {
  type Answer,
  type AnswerFacts,
  type Conversation,
  ENDINGS,
  type Ending,
  type Failure,
  type ToolCall,
  type Turn,
} from "./conversation.js";

/** What was kept of a conversation; `null` when it is none. */
export function parseConversation(kept: unknown): Conversation | null {
  const id = textAt(kept, "id");
  const turns = listAt(kept, "turns")
    .map(parseTurn)
    .filter((turn) => turn !== null);
  if (id === "" || turns.length === 0) return null;
  const leaf = textAt(kept, "leaf");
  return {
    id,
    name: textAt(kept, "name"),
    created: numberAt(kept, "created"),
    updated: numberAt(kept, "updated"),
    turns,
    leaf: turns.some((turn) => turn.id === leaf) ? leaf : (turns.at(-1)?.id ?? null),
  };
}

function parseTurn(kept: unknown): Turn | null {
  const id = textAt(kept, "id");
  const base = { id, parent: optionalTextAt(kept, "parent"), text: textAt(kept, "text") };
  const role = textAt(kept, "role");
  if (id === "") return null;
  if (role === "user") return { ...base, role };
  return role === "assistant" ? { ...base, role, ...parseAnswer(kept) } : null;
}

function parseAnswer(kept: unknown): Omit<Answer, "id" | "parent" | "text" | "role"> {
  return {
    model: textAt(kept, "model"),
    reasoning: textAt(kept, "reasoning"),
    toolCalls: listAt(kept, "toolCalls").map(parseToolCall),
    ending: parseEnding(textAt(kept, "ending")),
    failure: parseFailure(at(kept, "failure")),
    facts: parseFacts(at(kept, "facts")),
    requestId: textAt(kept, "requestId"),
  };
}

function parseToolCall(kept: unknown): ToolCall {
  return { id: textAt(kept, "id"), name: textAt(kept, "name"), arguments: textAt(kept, "arguments") };
}

/** Nobody writes on what comes from storage. */
function parseEnding(kept: string): Ending {
  const ending = ENDINGS.find((one) => one === kept) ?? "stopped";
  return ending === "writing" ? "stopped" : ending;
}

function parseFailure(kept: unknown): Failure | null {
  const message = textAt(kept, "message");
  if (message === "") return null;
  return { message, code: textAt(kept, "code"), retryAfterSeconds: optionalNumberAt(kept, "retryAfterSeconds") };
}

function parseFacts(kept: unknown): AnswerFacts | null {
  if (typeof kept !== "object" || kept === null) return null;
  return {
    ttft: optionalNumberAt(kept, "ttft"),
    tokensPerSecond: optionalNumberAt(kept, "tokensPerSecond"),
    tokens: numberAt(kept, "tokens"),
    promptTokens: optionalNumberAt(kept, "promptTokens"),
    cachedTokens: optionalNumberAt(kept, "cachedTokens"),
    thinking: numberAt(kept, "thinking"),
  };
}
