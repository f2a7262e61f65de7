import { html } from "htm/preact";
import { useState } from "preact/hooks";
import type { ClusterDocument, ClusterRing } from "../api/cluster-document.js";
import { askEstimate, askPlan } from "../api/cluster-requests.js";
import type { EstimateDocument, PlacementWishes, PlanDocument } from "../api/planning-documents.js";
import { formatBytes, formatLayers } from "../app/format.js";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import { listed } from "../cluster/changes.js";
import { ringStateText } from "../cluster/ring-facts.js";
import { ModelActions } from "./model-actions.js";
import type { ModelRow } from "./model-rows.js";
import { Prediction } from "./prediction.js";
import { comparedWith, speedSentence } from "./speed-text.js";
import { layersText, type Split, splitOf } from "./split.js";
import { SplitEditor } from "./split-editor.js";
import { type Asked, useQuestion } from "./use-question.js";
import { NO_WISHES, WishesForm } from "./wishes-form.js";

interface ModelDetailsProps {
  readonly app: AppState;
  readonly cluster: ClusterDocument;
  readonly row: ModelRow;
}

/** One model: where it is, what it takes, how fast it would be, and how it is to be loaded. */
export function ModelDetails({ app, cluster, row }: ModelDetailsProps) {
  const [wishes, setWishes] = useState<PlacementWishes>(NO_WISHES);
  const [split, setSplit] = useState<Split | null>(null);
  const { plan, byHand, estimate } = usePlanning(app, row.spec, wishes, split);
  const shown = split ?? splitOf(plan.answer?.stages ?? []);
  const layers = split === null ? null : layersText(split);
  const alive = cluster.nodes.filter(({ state }) => state === "alive");
  return html`<h2 id="model-title">${row.id}</h2>
    <p class="node-facts">${whereText(row)}</p>
    ${row.rings.map((ring) => html`<${RingNow} key=${ring.id} ring=${ring} />`)}
    <${WishesForm} wishes=${wishes} onChange=${setWishes} />
    <${Prediction} plan=${plan} estimate=${estimate} />
    ${
      shown.length === 0
        ? null
        : html`<${SplitEditor}
          split=${shown}
          plan=${split === null ? plan.answer : byHand.answer}
          isByHand=${split !== null}
          nodes=${alive}
          onChange=${setSplit}
          onReset=${() => setSplit(null)}
        />`
    }
    ${split === null ? null : html`<${HandPrediction} byHand=${byHand} planners=${plan.answer} />`}
    <${ModelActions}
      app=${app}
      model=${row}
      wishes=${{ ...wishes, layers }}
      obstacle=${split === null ? null : byHand.failure}
    />
    <${PlanReasons} plan=${split === null ? plan.answer : byHand.answer} />`;
}

/** The planner's own choice, the split made by hand, and what the model takes at all. */
function usePlanning(app: AppState, model: string, wishes: PlacementWishes, split: Split | null) {
  const plan = useQuestion<PlanDocument>(model, wishes, (id, asked, signal) => askPlan(app.server, id, asked, signal));
  const byHand = useQuestion<PlanDocument>(
    model,
    split === null ? null : { ...wishes, layers: layersText(split) },
    (id, asked, signal) => askPlan(app.server, id, asked, signal),
  );
  const estimate = useQuestion<EstimateDocument>(model, { ...wishes, strategy: null }, (id, asked, signal) =>
    askEstimate(app.server, id, asked, signal),
  );
  return { plan, byHand, estimate };
}

function whereText({ bytes, holders, state }: ModelRow): string {
  const size = bytes === null ? "" : `${formatBytes(bytes)}. `;
  const whole = holders.filter(({ complete }) => complete).map(({ name }) => name);
  const partly = holders.filter(({ complete }) => !complete);
  const parts = partly.map(({ name, bytes: held }) => `${name} (${formatBytes(held)} of it)`);
  if (whole.length + parts.length > 0) return `${size}On the disk of ${listed([...whole, ...parts])}.`;
  if (state === "catalogue") return `${size}On no disk yet: each machine fetches its own layers when it is loaded.`;
  return state === "unlisted" ? "In no list: it is looked for when it is planned or loaded." : size;
}

function RingNow({ ring }: { ring: ClusterRing }) {
  const { stages, reason, progress, state } = ring;
  const places = stages.map(
    ({ nodeName, layerBegin, layerEnd }) => `${nodeName} ${formatLayers(layerBegin, layerEnd)}`,
  );
  return html`<div class="ring-now">
    <p>
      <span class=${`badge state-${state}`}>${ringStateText(ring)}</span>
      ${" "}${places.length === 0 ? "Not placed yet." : `Now: ${places.join(", ")}.`}
      ${" "}<a href=${toHash("cluster")}>See the ring</a>
    </p>
    ${state === "loading" ? html`<progress class="wide" max="1" value=${progress} aria-label="Loading"></progress>` : null}
    ${reason === null ? null : html`<p class=${state === "failed" ? "error" : "warning"}>${reason}</p>`}
  </div>`;
}

interface HandPredictionProps {
  readonly byHand: Asked<PlanDocument>;
  readonly planners: PlanDocument | null;
}

/** What comes of the reader's own split. */
function HandPrediction({ byHand, planners }: HandPredictionProps) {
  const { answer, failure, isAsking } = byHand;
  const text =
    answer === null
      ? "Planning…"
      : `This split: ${speedSentence(answer.predicted)} ${comparedWith(answer.predicted, planners?.predicted ?? null)}`;
  return html`<div class="hand-prediction" aria-busy=${isAsking}>
    ${
      failure === null
        ? html`<p class="split-speed" role="status">${text}</p>`
        : html`<p class="error" role="alert">${failure}</p>`
    }
  </div>`;
}

function PlanReasons({ plan }: { plan: PlanDocument | null }) {
  if (plan === null || plan.reasons.length === 0) return null;
  return html`<details>
    <summary>Why this placement</summary>
    <ul class="reasons">
      ${plan.reasons.map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}
    </ul>
  </details>`;
}
