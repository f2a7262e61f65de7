import { html } from "htm/preact";
import { useRef, useState } from "preact/hooks";
import type { ClusterDocument } from "../api/cluster-document.js";
import { fieldValue } from "../app/field.js";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import { Downloads } from "./downloads.js";
import { ModelDetails } from "./model-details.js";
import { ModelList } from "./model-list.js";
import { freeMemory, modelRows, rowOfModel } from "./model-rows.js";

/** Models that are loaded or could be, what they take and how fast they would be, and how they are placed. */
export function ModelsView({ app }: { app: AppState }) {
  const cluster = useLastSeen(app.cluster.value);
  const chosen = app.route.value.rest[0] ?? null;
  if (cluster === null) {
    return html`<h1>Models</h1>
      ${
        app.trouble.value === null
          ? html`<p class="note">Asking the node…</p>`
          : html`<p class="error" role="alert">${app.trouble.value}</p>`
      }`;
  }
  const rows = modelRows(app.models.value, cluster);
  return html`<h1>Models</h1>
    ${app.trouble.value === null ? null : html`<p class="error" role="alert">${app.trouble.value}</p>`}
    <div class=${`models${chosen === null ? "" : " has-chosen"}`}>
      <section class="card models-list" aria-label="All models">
        <${ModelList} rows=${rows} chosen=${chosen} free=${freeMemory(cluster)} />
        <${OtherModel} />
      </section>
      <section class="card models-details" aria-label="The chosen model">
        ${
          chosen === null
            ? html`<p class="note">Choose a model to see what it takes, how fast it would be here, and to load it.</p>`
            : html`<p class="models-back"><a href=${toHash("models")}>All models</a></p>
              <${ModelDetails} key=${chosen} app=${app} cluster=${cluster} row=${rowOfModel(rows, chosen)} />`
        }
      </section>
    </div>
    <${Downloads} cluster=${cluster} />`;
}

/** A look that fails must not take away what the reader has begun here: a split, or a question that waits for a yes. */
function useLastSeen(cluster: ClusterDocument | null): ClusterDocument | null {
  const seen = useRef(cluster);
  if (cluster !== null) seen.current = cluster;
  return seen.current;
}

/** A path or an address that no list has. */
function OtherModel() {
  const [text, setText] = useState("");
  const type = (event: Event): void => setText(fieldValue(event));
  const show = (event: Event): void => {
    event.preventDefault();
    if (text.trim() !== "") location.hash = toHash("models", text.trim());
  };
  return html`<form class="row" onSubmit=${show}>
    <label for="other-model">Another model: a path, hf:org/repo:QUANT, or an address</label>
    <input id="other-model" value=${text} onInput=${type} autocomplete="off" spellcheck=${false} />
    <button type="submit">Show</button>
  </form>`;
}
