import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import type { AppState } from "../app/state.js";
import { type Chat, chatOf } from "./chat.js";
import { Composer } from "./composer.js";
import { HistoryPanel } from "./history-panel.js";
import { Messages } from "./messages.js";
import { ModelNote, ModelPicker } from "./model-picker.js";
import type { PanelName } from "./panels.js";
import { ParameterPanel } from "./parameter-panel.js";
import { Shortcuts } from "./shortcuts.js";

/** Conversations on the left, the one that is open in the middle, what shapes its answers on the right. */
export function ChatView({ app }: { app: AppState }) {
  const chat = chatOf(app);
  const dialog = useRef<HTMLDialogElement>(null);
  const showKeys = (): void => dialog.current?.showModal();
  useShortcuts(chat, showKeys);
  return html`<h1 class="hidden">Chat</h1>
    <div class="chat-columns">
      <${HistoryPanel} chat=${chat} />
      <div class="chat">
        <div class="chat-bar">
          <${PanelToggle} chat=${chat} name="history" label="History" />
          <button type="button" id="new-chat" onClick=${() => chat.startNew()}>New chat</button>
          <${ModelPicker} app=${app} />
          <${PanelToggle} chat=${chat} name="parameters" label="Parameters" />
        </div>
        <${ModelNote} app=${app} />
        <${Messages} app=${app} chat=${chat} />
        <${Composer} app=${app} chat=${chat} onShortcuts=${showKeys} />
      </div>
      <${ParameterPanel} chat=${chat} />
    </div>
    <${Shortcuts} dialog=${dialog} />`;
}

function PanelToggle({ chat, name, label }: { chat: Chat; name: PanelName; label: string }) {
  return html`<button
    type="button"
    id=${`${name}-toggle`}
    aria-expanded=${chat.panels[name].value}
    aria-controls=${name}
    onClick=${() => chat.panels.toggle(name)}
  >
    ${label}
  </button>`;
}

function useShortcuts(chat: Chat, showKeys: () => void): void {
  useEffect(() => {
    const key = (event: KeyboardEvent): void => {
      if (act(event, chat, showKeys)) event.preventDefault();
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
}

/** Whether the key was one of ours. */
function act(event: KeyboardEvent, chat: Chat, showKeys: () => void): boolean {
  if (event.isComposing || document.querySelector("dialog[open]") !== null) return false;
  if (event.key === "Escape") return stopOrClose(chat);
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return false;
  const key = event.key.toLowerCase();
  if (key === "/") showKeys();
  else if (event.shiftKey && key === "o") chat.startNew();
  else return false;
  return true;
}

function stopOrClose(chat: Chat): boolean {
  if (chat.running.value !== null) chat.stop();
  else chat.panels.hideIfNarrow();
  return true;
}
