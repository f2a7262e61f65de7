import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { hasStatus, sentenceOf } from "../api/server-error.js";
import { askChromeTrace, askTrace, askTraces, type ListedTrace, type TraceDocument } from "../api/trace-document.js";
import { formatSeconds } from "../app/format.js";
import { toHash } from "../app/route.js";
import { saveFile } from "../app/save-file.js";
import type { AppState } from "../app/state.js";
import { TraceWaterfall } from "./trace-waterfall.js";
import { useAnswer } from "./use-answer.js";

/** Where the time of requests went: by node, stage and hop. */
export function TracesView({ app }: { app: AppState }) {
  const chosen = app.route.value.rest[0] ?? null;
  if (chosen !== null) return html`<${OneTrace} key=${chosen} app=${app} requestId=${chosen} />`;
  return html`<${TraceList} app=${app} />`;
}

function TraceList({ app }: { app: AppState }) {
  const [look, setLook] = useState(0);
  const { answer, failure } = useAnswer((signal) => askTraces(app.server, signal), [look]);
  return html`<h1>Traces</h1>
    <section class="card">
      <p class="note">Where the time of a request went: waiting, computing on each machine, and on the way between them.</p>
      <button type="button" onClick=${() => setLook(look + 1)}>Look again</button>
      ${failure === null ? null : html`<${Failure} failure=${failure} />`}
      ${answer === null && failure === null ? html`<p class="note">Asking the nodes…</p>` : null}
      ${answer === null ? null : html`<${TraceTable} traces=${answer} />`}
    </section>`;
}

/** A node that has no such route is no fault of the reader's. */
function Failure({ failure }: { failure: unknown }) {
  if (hasStatus(failure, 404)) {
    return html`<p class="warning">This node records no traces; a newer exo-native does.</p>`;
  }
  return html`<p class="error" role="alert">${sentenceOf(failure)}</p>`;
}

function TraceTable({ traces }: { traces: readonly ListedTrace[] }) {
  if (traces.length === 0) {
    return html`<p>No request is recorded yet. <a href=${toHash("chat")}>Ask something</a>, then look again.</p>`;
  }
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Requests">
    <table>
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Request</th>
          <th scope="col">Model</th>
          <th scope="col">Took</th>
          <th scope="col">Tokens</th>
          <th scope="col">Status</th>
        </tr>
      </thead>
      <tbody>
        ${traces.map(
          ({ requestId, model, begin, seconds, isRunning, tokens, status }) => html`<tr key=${requestId}>
            <td>${new Date(begin * 1000).toLocaleTimeString()}</td>
            <th scope="row"><a href=${toHash("traces", requestId)}>${requestId}</a></th>
            <td>${model}</td>
            <td>${formatSeconds(seconds * 1000)}${isRunning ? " so far" : ""}</td>
            <td>${tokens}</td>
            <td>${status ?? ""}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function OneTrace({ app, requestId }: { app: AppState; requestId: string }) {
  const [look, setLook] = useState(0);
  const { answer, failure } = useAnswer<TraceDocument>((signal) => askTrace(app.server, requestId, signal), [look]);
  return html`<p><a href=${toHash("traces")}>All requests</a></p>
    <h1>Request ${requestId}</h1>
    <section class="card">
      ${failure === null ? null : html`<p class="error" role="alert">${sentenceOf(failure)}</p>`}
      ${answer === null && failure === null ? html`<p class="note">Asking the nodes…</p>` : null}
      ${
        answer === null
          ? null
          : html`${answer.isRunning ? html`<${GoesOn} onLook=${() => setLook(look + 1)} />` : null}
            <${TraceWaterfall} trace=${answer} />
            <${Download} app=${app} requestId=${requestId} />`
      }
    </section>`;
}

function GoesOn({ onLook }: { onLook: () => void }) {
  return html`<p>
    It goes on. <button type="button" onClick=${onLook}>Look again</button>
  </p>`;
}

function Download({ app, requestId }: { app: AppState; requestId: string }) {
  const [failure, setFailure] = useState<string | null>(null);
  const save = async (): Promise<void> => {
    setFailure(null);
    try {
      saveFile(`exo-native-${requestId}.json`, "application/json", await askChromeTrace(app.server, requestId));
    } catch (thrown) {
      setFailure(sentenceOf(thrown));
    }
  };
  return html`<p>
      <button type="button" onClick=${() => void save()}>Download for chrome://tracing</button>
      <span class="note"> Perfetto (ui.perfetto.dev) opens it too.</span>
    </p>
    ${failure === null ? null : html`<p class="error" role="alert">${failure}</p>`}`;
}
