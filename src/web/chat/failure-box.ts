import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import { type Advice, adviceFor } from "./advice.js";
import type { Chat } from "./chat.js";
import type { Answer, Failure } from "./conversation.js";

interface Props {
  readonly app: AppState;
  readonly chat: Chat;
  readonly answer: Answer;
  readonly failure: Failure;
}

/** Why an answer failed, in the node's own sentence, and what to do next. */
export function FailureBox({ app, chat, answer, failure }: Props) {
  const advice = adviceFor(failure);
  return html`<div class="error failure">
    <p>${failure.message}</p>
    ${advice.hint === "" ? null : html`<p>${advice.hint}</p>`}
    <div class="row">
      ${advice.again === null ? null : html`<${AskAgain} chat=${chat} answer=${answer} advice=${advice} />`}
      <${OtherWay} app=${app} chat=${chat} way=${advice.way} />
    </div>
  </div>`;
}

function AskAgain({ chat, answer, advice }: { chat: Chat; answer: Answer; advice: Advice }) {
  const left = useSignal(advice.waitSeconds);
  useEffect(() => {
    const ticking = setInterval(() => {
      left.value = Math.max(0, left.value - 1);
      if (left.value === 0) clearInterval(ticking);
    }, 1000);
    return () => clearInterval(ticking);
  }, []);
  const label = left.value > 0 ? `${advice.again} in ${left.value} s` : advice.again;
  const disabled = left.value > 0 || chat.running.value !== null;
  return html`<button type="button" disabled=${disabled} onClick=${() => chat.regenerate(answer)}>${label}</button>`;
}

function OtherWay({ app, chat, way }: { app: AppState; chat: Chat; way: Advice["way"] }) {
  if (way === "new-chat") return html`<button type="button" onClick=${() => chat.startNew()}>New chat</button>`;
  if (way === "settings") return html`<a href=${toHash("settings")}>Open the settings</a>`;
  if (way === "models") return html`<button type="button" onClick=${() => focusModels(app)}>Choose a model</button>`;
  if (way === "parameters") {
    return html`<button type="button" onClick=${() => chat.panels.show("parameters")}>Open the parameters</button>`;
  }
  return null;
}

function focusModels(app: AppState): void {
  void app.refresh();
  document.getElementById("model")?.focus();
}
