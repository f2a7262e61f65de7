import { html } from "htm/preact";
import { useLayoutEffect } from "preact/hooks";
import { CopyButton } from "../app/copy-button.js";
import { formatSeconds } from "../app/format.js";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import { VIEWS } from "../app/views.js";
import { Markdown } from "../markdown/markdown.js";
import { BranchSwitch } from "./branch-switch.js";
import type { Chat } from "./chat.js";
import type { Answer, Ending } from "./conversation.js";
import { factsText } from "./facts-text.js";
import { FailureBox } from "./failure-box.js";
import type { RunningAnswer } from "./running-answer.js";
import { ToolCalls } from "./tool-calls.js";

const NOTES: Readonly<Partial<Record<Ending, string>>> = {
  length: "The answer reached its limit of tokens, or the context is full.",
  tool_calls: "The model asks for the tools above to be called.",
  stopped: "Stopped.",
};

interface Props {
  readonly app: AppState;
  readonly chat: Chat;
  readonly turn: Answer;
  /** While it is being written. */
  readonly running: RunningAnswer | null;
  /** Called when what is shown may have grown. */
  readonly onGrown: () => void;
}

/** An answer: what the model thought, what it says, what it calls, how fast that was, and what went wrong. */
export function AnswerView({ app, chat, turn, running, onGrown }: Props) {
  const answer = running?.shown.value ?? turn;
  useLayoutEffect(onGrown);
  const waiting = running !== null && answer.text === "" && answer.toolCalls.length === 0;
  return html`<article class="message message-assistant" aria-label=${answer.model === "" ? "Answer" : `Answer of ${answer.model}`} aria-busy=${running !== null}>
    <${Reasoning} answer=${answer} writing=${running !== null} />
    <div class=${waiting ? "message-body waiting" : "message-body"}>
      <${Markdown} text=${answer.text} final=${running === null} />
      <${ToolCalls} calls=${answer.toolCalls} final=${running === null} />
    </div>
    ${answer.failure === null ? null : html`<${FailureBox} app=${app} chat=${chat} answer=${answer} failure=${answer.failure} />`}
    <div class="message-foot">
      <${BranchSwitch} chat=${chat} turn=${turn} />
      <span class="facts">${running === null ? factsText(answer.facts) : liveFacts(running)}</span>
      ${running === null ? html`<${Actions} chat=${chat} answer=${answer} />` : null}
      ${running === null ? html`<span>${NOTES[answer.ending] ?? ""}</span>` : null}
    </div>
  </article>`;
}

function liveFacts(running: RunningAnswer): string {
  const waited = running.waited.value;
  return waited === null ? factsText(running.shown.value.facts) : `waiting ${formatSeconds(waited)}`;
}

function Actions({ chat, answer }: { chat: Chat; answer: Answer }) {
  const regenerate = (): void => {
    chat.regenerate(answer);
    document.getElementById("prompt")?.focus();
  };
  return html`<${CopyButton} text=${() => answer.text} what="the answer" />
    <button type="button" class="quiet" disabled=${chat.running.value !== null} onClick=${regenerate}>Regenerate</button>
    <${TraceLink} requestId=${answer.requestId} />`;
}

/** Where the time of the answer went, as long as the nodes know it. */
function TraceLink({ requestId }: { requestId: string }) {
  if (requestId === "" || !VIEWS.some(({ id }) => id === "traces")) return null;
  return html`<a href=${toHash("traces", requestId)}>Trace</a>`;
}

function Reasoning({ answer, writing }: { answer: Answer; writing: boolean }) {
  if (answer.reasoning === "") return null;
  const thinking = answer.facts?.thinking ?? 0;
  const label = writing && answer.text === "" ? "Thinking…" : `Thought for ${formatSeconds(thinking)}`;
  return html`<details class="reasoning">
    <summary>${label}</summary>
    <div class="prose">${answer.reasoning}</div>
  </details>`;
}
