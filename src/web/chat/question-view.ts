import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { CopyButton } from "../app/copy-button.js";
import { fieldValue } from "../app/field.js";
import { BranchSwitch } from "./branch-switch.js";
import type { Chat } from "./chat.js";
import type { Question } from "./conversation.js";

/** A question of the reader, which can be changed: the conversation then goes on from there. */
export function QuestionView({ chat, turn }: { chat: Chat; turn: Question }) {
  const editing = useSignal(false);
  const editButton = useRef<HTMLButtonElement>(null);
  const cancel = (): void => {
    editing.value = false;
    // Once it is there again.
    requestAnimationFrame(() => editButton.current?.focus());
  };
  if (editing.value) {
    return html`<article class="message message-user" aria-label="You, being edited">
      <${QuestionEditor} chat=${chat} turn=${turn} onDone=${() => (editing.value = false)} onCancel=${cancel} />
    </article>`;
  }
  return html`<article class="message message-user" aria-label="You">
    <div class="message-body prose">${turn.text}</div>
    <div class="message-foot">
      <${BranchSwitch} chat=${chat} turn=${turn} />
      <button
        type="button"
        class="quiet"
        ref=${editButton}
        disabled=${chat.running.value !== null}
        onClick=${() => (editing.value = true)}
      >
        Edit
      </button>
      <${CopyButton} text=${() => turn.text} what="the question" />
    </div>
  </article>`;
}

interface EditorProps {
  readonly chat: Chat;
  readonly turn: Question;
  readonly onDone: () => void;
  readonly onCancel: () => void;
}

function QuestionEditor({ chat, turn, onDone, onCancel }: EditorProps) {
  const text = useSignal(turn.text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const send = (event: Event): void => {
    event.preventDefault();
    if (!chat.edit(turn, text.value)) return;
    onDone();
    document.getElementById("prompt")?.focus();
  };
  const sendOnEnter = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  const cancelOnEscape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    onCancel();
  };
  return html`<form class="question-editor" onSubmit=${send} onKeyDown=${cancelOnEscape}>
    <textarea
      ref=${field}
      rows="3"
      aria-label="Question"
      value=${text.value}
      onInput=${(event: Event) => (text.value = fieldValue(event))}
      onKeyDown=${sendOnEnter}
    ></textarea>
    <div class="row">
      <button type="submit" class="primary">Send again</button>
      <button type="button" onClick=${onCancel}>Cancel</button>
    </div>
  </form>`;
}
