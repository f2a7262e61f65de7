import { html } from "htm/preact";
import type { EstimateDocument, PlanDocument } from "../api/planning-documents.js";
import { formatBytes } from "../app/format.js";
import { fitSentence, speedSentence } from "./speed-text.js";
import type { Asked } from "./use-question.js";

interface PredictionProps {
  readonly plan: Asked<PlanDocument>;
  readonly estimate: Asked<EstimateDocument>;
}

/** What a model would take and how fast it would be, before anything is loaded. */
export function Prediction({ plan, estimate }: PredictionProps) {
  const isAsking = plan.isAsking || estimate.isAsking;
  return html`<div class="prediction" aria-busy=${isAsking}>
    ${estimate.failure === null ? html`<${Fit} estimate=${estimate.answer} />` : null}
    ${
      plan.failure === null && plan.answer !== null
        ? html`<p class="prediction-speed" role="status">${speedSentence(plan.answer.predicted)}</p>`
        : null
    }
    ${
      isAsking && plan.answer === null
        ? html`<p class="note">Planning; the first time the nodes measure the model, which takes some seconds…</p>`
        : null
    }
    <${Failures} failures=${[plan.failure, estimate.failure]} />
  </div>`;
}

/** The same sentence need not be said twice. */
function Failures({ failures }: { failures: readonly (string | null)[] }) {
  const told = [...new Set(failures.filter((failure) => failure !== null))];
  return html`${told.map((failure) => html`<p key=${failure} class="error" role="alert">${failure}</p>`)}`;
}

function Fit({ estimate }: { estimate: EstimateDocument | null }) {
  if (estimate === null) return null;
  const { fit, weights, kvCache, compute, total, contextSize, slots, largestContext, contextTrained, advice } =
    estimate;
  return html`<p class=${fit === "no" ? "warning" : "prediction-fit"}>${fitSentence(fit)}</p>
    <dl class="speeds">
      <${Fact} name="Memory in all" value=${formatBytes(total)} />
      <${Fact} name="Weights" value=${formatBytes(weights)} />
      <${Fact} name=${`KV cache of ${slots} × ${contextSize} tokens`} value=${formatBytes(kvCache)} />
      <${Fact} name="Buffers" value=${formatBytes(compute)} />
      <${Fact} name="Largest context that fits" value=${`${largestContext} of ${contextTrained} trained`} />
    </dl>
    <ul class="reasons">
      ${advice.map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}
    </ul>`;
}

function Fact({ name, value }: { name: string; value: string }) {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}
