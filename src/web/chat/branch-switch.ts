import { html } from "htm/preact";
import type { Chat } from "./chat.js";
import { siblingsOf, type Turn } from "./conversation.js";

/** `‹ 2 of 3 ›` where a question was edited or an answer made again. */
export function BranchSwitch({ chat, turn }: { chat: Chat; turn: Turn }) {
  const siblings = siblingsOf(chat.current.value, turn);
  if (siblings.length < 2) return null;
  const index = siblings.findIndex(({ id }) => id === turn.id);
  const step = (by: number, label: string, sign: string) => {
    const target = siblings[index + by];
    const show = (): void => {
      if (target !== undefined) chat.show(target.id);
    };
    return html`<button type="button" class="quiet" aria-label=${label} disabled=${target === undefined} onClick=${show}>
      ${sign}
    </button>`;
  };
  return html`<span class="branches">
    ${step(-1, "Earlier version", "‹")}<span>${index + 1} of ${siblings.length}</span>${step(1, "Later version", "›")}
  </span>`;
}
