import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import type { AppState } from "../app/state.js";
import { AnswerView } from "./answer-view.js";
import type { Chat } from "./chat.js";
import { branchOf, type Turn } from "./conversation.js";
import { QuestionView } from "./question-view.js";
import { Welcome } from "./welcome.js";

/** Closer to the end than this, a reader follows what is being written. Pixels. */
const NEAR = 60;

/** The conversation. It follows an answer that grows, unless the reader has scrolled away from the end. */
export function Messages({ app, chat }: { app: AppState; chat: Chat }) {
  const box = useRef<HTMLElement>(null);
  const following = useSignal(true);
  const toEnd = (): void => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  };
  const place = useComputed(() => `${chat.current.value.id} ${chat.current.value.leaf}`);
  // Another conversation, or another question, is seen from its end.
  useSignalEffect(() => {
    void place.value;
    following.value = true;
    requestAnimationFrame(toEnd);
  });
  const onScroll = (): void => {
    if (box.current !== null) following.value = isAtEnd(box.current);
  };
  const onGrown = (): void => {
    if (following.peek()) toEnd();
  };
  const branch = branchOf(chat.current.value);
  const running = chat.running.value;
  const view = (turn: Turn) => {
    if (turn.role === "user") return html`<${QuestionView} key=${turn.id} chat=${chat} turn=${turn} />`;
    const own = running?.id === turn.id ? running : null;
    return html`<${AnswerView} key=${turn.id} app=${app} chat=${chat} turn=${turn} running=${own} onGrown=${onGrown} />`;
  };
  return html`<div class="messages-frame">
    <section id="messages" class="messages" aria-label="Conversation" tabindex="0" ref=${box} onScroll=${onScroll}>
      ${branch.length === 0 ? html`<${Welcome} app=${app} chat=${chat} />` : branch.map(view)}
    </section>
    <${JumpToEnd} hidden=${following} onJump=${toEnd} />
  </div>`;
}

function JumpToEnd({ hidden, onJump }: { hidden: { readonly value: boolean }; onJump: () => void }) {
  if (hidden.value) return null;
  return html`<button type="button" class="to-end" onClick=${onJump}>Jump to the end</button>`;
}

function isAtEnd({ scrollHeight, scrollTop, clientHeight }: HTMLElement): boolean {
  return scrollHeight - scrollTop - clientHeight < NEAR;
}
