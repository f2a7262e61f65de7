import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { fieldValue } from "../app/field.js";
import { saveFile } from "../app/save-file.js";
import type { Chat } from "./chat.js";
import { type Conversation, titleOf } from "./conversation.js";
import { fileName, toJson, toMarkdown } from "./export.js";

/** The conversations of this browser. */
export function HistoryPanel({ chat }: { chat: Chat }) {
  const current = chat.current.value.id;
  const conversations = chat.store.list.value;
  return html`<section id="history" class="panel history" aria-label="Conversations" hidden=${!chat.panels.history.value}>
    <div class="panel-head">
      <h2>Conversations</h2>
      <button type="button" class="quiet close" aria-label="Close" onClick=${() => chat.panels.close("history")}>×</button>
    </div>
    ${conversations.length === 0 ? html`<p class="note">They are kept in this browser only.</p>` : null}
    <ul>
      ${conversations.map(
        (conversation) => html`<${Entry}
          key=${conversation.id}
          chat=${chat}
          conversation=${conversation}
          current=${conversation.id === current}
        />`,
      )}
    </ul>
  </section>`;
}

interface EntryProps {
  readonly chat: Chat;
  readonly conversation: Conversation;
  readonly current: boolean;
}

function Entry({ chat, conversation, current }: EntryProps) {
  const naming = useSignal(false);
  const entry = useRef<HTMLButtonElement>(null);
  const { id } = conversation;
  const open = (): void => {
    chat.open(id);
    chat.panels.hideIfNarrow();
  };
  const named = (): void => {
    naming.value = false;
    // Once the entry is there again.
    requestAnimationFrame(() => entry.current?.focus());
  };
  if (naming.value) return html`<li><${NameForm} chat=${chat} conversation=${conversation} onDone=${named} /></li>`;
  return html`<li class=${current ? "current" : ""}>
    <button type="button" class="quiet entry" ref=${entry} aria-current=${current ? "true" : undefined} onClick=${open}>
      ${titleOf(conversation)}${chat.isRunning(id) ? html`<span class="badge">answering</span>` : null}
    </button>
    ${current ? html`<${Actions} chat=${chat} conversation=${conversation} onRename=${() => (naming.value = true)} />` : null}
  </li>`;
}

function Actions({ chat, conversation, onRename }: { chat: Chat; conversation: Conversation; onRename: () => void }) {
  const asked = useSignal(false);
  const remove = (): void => {
    if (asked.value) chat.remove(conversation.id);
    else asked.value = true;
  };
  const saveAs = (ending: string, type: string, text: string): void =>
    saveFile(fileName(conversation, ending), type, text);
  return html`<div class="entry-actions">
    <button type="button" class="quiet small" onClick=${onRename}>Rename</button>
    <button type="button" class="quiet small" onClick=${() => saveAs("md", "text/markdown", toMarkdown(conversation))}>
      Save .md
    </button>
    <button type="button" class="quiet small" onClick=${() => saveAs("json", "application/json", toJson(conversation))}>
      Save .json
    </button>
    <button type="button" class="quiet small" onClick=${remove} onBlur=${() => (asked.value = false)}>
      ${asked.value ? "Really delete" : "Delete"}
    </button>
  </div>`;
}

function NameForm({ chat, conversation, onDone }: { chat: Chat; conversation: Conversation; onDone: () => void }) {
  const name = useSignal(titleOf(conversation));
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const save = (event: Event): void => {
    event.preventDefault();
    chat.rename(conversation.id, name.value);
    onDone();
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onDone();
    }
  };
  return html`<form class="row" onSubmit=${save} onKeyDown=${key}>
    <input
      ref=${field}
      aria-label="Name of the conversation"
      maxlength="200"
      value=${name.value}
      onInput=${(event: Event) => (name.value = fieldValue(event))}
    />
    <button type="submit">Save</button>
  </form>`;
}
