import { html } from "htm/preact";
import type { ListedModel, ModelState } from "../api/models-document.js";
import { sentenceOf } from "../api/server-error.js";
import { fieldValue } from "../app/field.js";
import { formatBytes } from "../app/format.js";
import type { AppState } from "../app/state.js";
import { loadProgress } from "./load-progress.js";

const GROUPS: readonly { readonly state: ModelState; readonly label: string }[] = [
  { state: "loaded", label: "Loaded" },
  { state: "loading", label: "Being loaded" },
  { state: "unloaded", label: "Loaded when chosen and asked" },
];

/** Which model answers. */
export function ModelPicker({ app }: { app: AppState }) {
  const models = app.models.value;
  return html`<label class="model">
    <span class="hidden">Model</span>
    <select
      id="model"
      disabled=${models.length === 0}
      value=${app.model.value}
      aria-describedby="model-note"
      onChange=${(event: Event) => app.chooseModel(fieldValue(event))}
    >
      ${models.length === 0 ? html`<option value="">No model</option>` : null}
      ${GROUPS.map(({ state, label }) =>
        optionGroup(
          label,
          models.filter((model) => model.state === state),
        ),
      )}
    </select>
  </label>`;
}

function optionGroup(label: string, models: readonly ListedModel[]) {
  if (models.length === 0) return null;
  return html`<optgroup label=${label} key=${label}>
    ${models.map(({ id, sizeBytes, state }) => {
      const size = state === "unloaded" && sizeBytes !== null ? ` (${formatBytes(sizeBytes)})` : "";
      return html`<option key=${id} value=${id}>${id}${size}</option>`;
    })}
  </optgroup>`;
}

/** What the chosen model still needs before it can answer. */
export function ModelNote({ app }: { app: AppState }) {
  return html`<div id="model-note" class="model-note">${noteContent(app)}</div>`;
}

function noteContent(app: AppState) {
  if (app.trouble.value !== null) return html`<p class="error">${app.trouble.value}</p>`;
  const model = chosenModel(app);
  if (app.cluster.value === null || model?.state === "loaded") return null;
  if (model === undefined) {
    return html`<p class="warning">No model is known yet. Start one with: <code>exo-native serve ${"<model>"}</code></p>`;
  }
  const progress = loadProgress(app.cluster.value, model);
  if (progress !== null || model.state === "loading") {
    const { text, fraction } = progress ?? { text: `Loading ${model.id}`, fraction: null };
    return html`<p class="note">
      <progress key=${fraction === null ? "unknown" : "known"} max="1" value=${fraction ?? undefined} aria-label="Loading of the model"></progress> ${text}
    </p>`;
  }
  return html`<p class="note">
    ${model.id} is not loaded: your first message loads it.
    <button type="button" class="small" onClick=${() => void load(app, model)}>Load it now</button>
  </p>`;
}

export function chosenModel(app: AppState): ListedModel | undefined {
  const chosen = app.model.value;
  return app.models.value.find(({ id, aliases }) => id === chosen || aliases.includes(chosen));
}

async function load(app: AppState, model: ListedModel): Promise<void> {
  try {
    await app.server.post("/cluster/rings", { model: model.id });
  } catch (thrown) {
    app.notice(sentenceOf(thrown));
  }
  await app.refresh();
}
