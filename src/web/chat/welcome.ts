import { html } from "htm/preact";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import type { Chat } from "./chat.js";

const EXAMPLES = [
  "Explain in two sentences why the sky is blue.",
  "Write a Python function that tells whether a number is prime.",
  "Plan a weekend in the mountains, as a table.",
];

/** What a conversation without messages shows. */
export function Welcome({ app, chat }: { app: AppState; chat: Chat }) {
  const nodes = app.cluster.value?.nodes.filter(({ state }) => state === "alive").length ?? 0;
  const where = nodes > 1 ? `the ${nodes} machines of this cluster` : "this machine";
  return html`<div id="welcome" class="welcome">
    <h2>Ask the ring something.</h2>
    <p>What you write stays on ${where}.</p>
    <ul class="examples">
      ${EXAMPLES.map(
        (text) => html`<li key=${text}>
          <button type="button" disabled=${app.model.value === ""} onClick=${() => chat.ask(text)}>${text}</button>
        </li>`,
      )}
    </ul>
    <p class="note"><a href=${toHash("connect")}>Connect your own app</a> to the same model.</p>
  </div>`;
}
