import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { fieldValue } from "../app/field.js";
import type { AppState } from "../app/state.js";
import type { Chat } from "./chat.js";
import { ContextMeter } from "./context-meter.js";

/** The box to write in, with what sends and what stops. */
export function Composer({ app, chat, onShortcuts }: { app: AppState; chat: Chat; onShortcuts: () => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const running = chat.running.value !== null;
  const text = chat.message.value;
  useLayoutEffect(() => fitHeight(field.current), [text]);
  useEffect(() => {
    // On a phone the focus would bring the keyboard over half of the page.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus({ preventScroll: true });
  }, [chat.current.value.id]);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (chat.ask(text)) chat.message.value = "";
    field.current?.focus();
  };
  const key = (event: KeyboardEvent): void => {
    // While a character is being composed (Chinese, Japanese, …), Enter belongs to the input method.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  const stop = (): void => {
    chat.stop();
    field.current?.focus();
  };
  return html`<div class="composer-frame">
    <form id="composer" class="composer" autocomplete="off" onSubmit=${submit}>
      <label class="hidden" for="prompt">Message</label>
      <textarea
        id="prompt"
        ref=${field}
        rows="1"
        placeholder="Write a message"
        enterkeyhint="send"
        value=${text}
        onInput=${(event: Event) => (chat.message.value = fieldValue(event))}
        onKeyDown=${key}
      ></textarea>
      ${
        running
          ? html`<button type="button" key="stop" id="stop" onClick=${stop}>Stop</button>`
          : html`<button type="submit" key="send" id="send" class="primary">Send</button>`
      }
    </form>
    <div class="hints">
      <span id="status" class="hidden" role="status">${chat.status.value}</span>
      <${ContextMeter} app=${app} chat=${chat} />
      <button type="button" class="quiet small" onClick=${onShortcuts}>Keys</button>
    </div>
  </div>`;
}

/** As tall as its text, up to the bound in the style sheet. */
function fitHeight(field: HTMLTextAreaElement | null): void {
  if (field === null) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}
