import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import type { AppState } from "../app/state.js";

/** What belongs to this browser and not to a conversation. */
export function SettingsView({ app }: { app: AppState }) {
  return html`<h1>Settings</h1>
    <${ApiKey} app=${app} />
    <${About} app=${app} />`;
}

function ApiKey({ app }: { app: AppState }) {
  const key = useSignal(app.server.apiKey);
  const save = (event: Event): void => {
    event.preventDefault();
    app.useApiKey(key.value.trim());
    app.notice(key.value.trim() === "" ? "No API key is sent any more." : "The API key is sent from now on.");
  };
  const type = (event: Event): void => {
    if (event.currentTarget instanceof HTMLInputElement) key.value = event.currentTarget.value;
  };
  return html`<section class="card" aria-labelledby="api-key-title">
    <h2 id="api-key-title">API key</h2>
    <form class="row" onSubmit=${save}>
      <label for="api-key">Only if this node asks for one; kept until this tab is closed</label>
      <input type="password" id="api-key" autocomplete="off" value=${key.value} onInput=${type} />
      <button type="submit">Use</button>
    </form>
    ${app.trouble.value === null ? null : html`<p class="error">${app.trouble.value}</p>`}
  </section>`;
}

function About({ app }: { app: AppState }) {
  const node = app.cluster.value?.node;
  if (node === undefined) return null;
  return html`<section class="card" aria-labelledby="about-title">
    <h2 id="about-title">This node</h2>
    <p>${node.name}, exo-native ${node.version}. What you write stays on the machines of this cluster.</p>
  </section>`;
}
