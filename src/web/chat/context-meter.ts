import { html } from "htm/preact";
import { formatCount } from "../app/format.js";
import type { AppState } from "../app/state.js";
import type { Chat } from "./chat.js";
import { branchOf, type Conversation } from "./conversation.js";
import { contextUsed } from "./facts-text.js";
import { chosenModel } from "./model-picker.js";

/** Fuller than this, the context is about to be full. */
const NEARLY_FULL = 0.85;

/** How much of the model's context the conversation takes, as of its last answer. */
export function ContextMeter({ app, chat }: { app: AppState; chat: Chat }) {
  const size = chosenModel(app)?.contextSize ?? null;
  const used = lastUsed(chat.current.value);
  if (size === null || size <= 0 || used === null) return null;
  const full = used / size > NEARLY_FULL;
  return html`<span class=${full ? "context nearly-full" : "context"}>
    <meter min="0" max=${size} value=${Math.min(used, size)} aria-label="Context in use"></meter>
    ${formatCount(used)} of ${formatCount(size)} tokens of context${full ? ": start a new chat soon" : ""}
  </span>`;
}

function lastUsed(conversation: Conversation): number | null {
  for (const turn of branchOf(conversation).toReversed()) {
    const used = turn.role === "assistant" ? contextUsed(turn.facts) : null;
    if (used !== null) return used;
  }
  return null;
}
