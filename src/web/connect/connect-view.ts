import { html } from "htm/preact";
import { CopyButton } from "../app/copy-button.js";
import type { AppState } from "../app/state.js";
import { ModelPicker } from "../chat/model-picker.js";
import { CodeBlock } from "../markdown/code-block.js";
import { type Snippet, snippets } from "./snippets.js";

const LOCAL_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** What to write where, so that another app uses this node. */
export function ConnectView({ app }: { app: AppState }) {
  const { origin, hostname } = location;
  const to = { origin, model: app.model.value || "MODEL", keyed: app.server.apiKey !== "" };
  return html`<h1>Connect your app</h1>
    <p>Whatever speaks with OpenAI, Anthropic or Ollama speaks with this node, once it has its address:</p>
    <dl class="facts-list">
      <${Fact} name="OpenAI base URL" value=${`${origin}/v1`} />
      <${Fact} name="Anthropic and Ollama address" value=${origin} />
      <${Fact} name="Model" value=${to.model} />
    </dl>
    <div class="row"><${ModelPicker} app=${app} /></div>
    ${LOCAL_HOSTS.includes(hostname) ? html`<${OnlyLocal} />` : null}
    ${snippets(to).map((snippet) => html`<${SnippetCard} key=${snippet.id} snippet=${snippet} />`)}`;
}

function Fact({ name, value }: { name: string; value: string }) {
  return html`<div>
    <dt>${name}</dt>
    <dd><code>${value}</code><${CopyButton} text=${() => value} what=${name} /></dd>
  </div>`;
}

function OnlyLocal() {
  return html`<p class="note">
    This address is of this machine alone. For apps on other machines start the node with${" "}
    <code>--http 0.0.0.0:52415 --api-key YOUR-OWN-KEY</code> and open this page by the machine's own address.
  </p>`;
}

function SnippetCard({ snippet }: { snippet: Snippet }) {
  const { id, title, note, language, code } = snippet;
  return html`<section class="card" aria-labelledby=${`connect-${id}`}>
    <h2 id=${`connect-${id}`}>${title}</h2>
    ${note === "" ? null : html`<p class="note">${note}</p>`}
    <${CodeBlock} code=${code} language=${language} final=${true} />
  </section>`;
}
