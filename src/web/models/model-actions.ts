import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { loadModel, unloadRing } from "../api/cluster-requests.js";
import type { PlacementWishes } from "../api/planning-documents.js";
import { sentenceOf } from "../api/server-error.js";
import type { AppState } from "../app/state.js";
import type { ModelRow } from "./model-rows.js";

interface ModelActionsProps {
  readonly app: AppState;
  readonly model: Pick<ModelRow, "id" | "spec" | "rings">;
  readonly wishes: PlacementWishes;
  /** What stands against loading it, or `null`. */
  readonly obstacle: string | null;
}

type Question = "unload" | "reload";

/** Loading and unloading; what ends answers asks first. */
export function ModelActions({ app, model: { id: model, spec, rings }, wishes, obstacle }: ModelActionsProps) {
  const [question, setQuestion] = useState<Question | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (work: () => Promise<void>): Promise<void> => {
    setQuestion(null);
    setFailure(null);
    setBusy(true);
    try {
      await work();
      await app.refresh();
    } catch (thrown) {
      setFailure(sentenceOf(thrown));
    }
    setBusy(false);
  };
  const load = async (): Promise<void> => {
    await loadModel(app.server, spec, wishes);
    app.notice(`${model} is being loaded.`);
  };
  const unload = async (): Promise<void> => {
    for (const { id } of rings) await unloadRing(app.server, id);
    app.notice(`${model} is unloaded.`);
  };
  const reload = async (): Promise<void> => {
    for (const { id } of rings) await unloadRing(app.server, id);
    await load();
  };
  const word = wishes.layers === null ? "Load" : "Load this split";
  if (question !== null) {
    return html`<${Confirm}
      question=${question}
      model=${model}
      onYes=${() => void run(question === "unload" ? unload : reload)}
      onNo=${() => setQuestion(null)}
    />`;
  }
  return html`<div class="row">
      ${
        rings.length === 0
          ? html`<button type="button" class="primary" disabled=${isBusy || obstacle !== null} onClick=${() => void run(load)}>
            ${word}
          </button>`
          : html`<button type="button" disabled=${isBusy || obstacle !== null} onClick=${() => setQuestion("reload")}>
              ${wishes.layers === null ? "Load again with these settings" : word}
            </button>
            <button type="button" disabled=${isBusy} onClick=${() => setQuestion("unload")}>Unload</button>`
      }
    </div>
    ${failure === null ? null : html`<p class="error" role="alert">${failure}</p>`}`;
}

interface ConfirmProps {
  readonly question: Question;
  readonly model: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}

function Confirm({ question, model, onYes, onNo }: ConfirmProps) {
  const text =
    question === "unload"
      ? `Unload ${model} from all machines? Answers that are being written end with an error.`
      : `Unload ${model} and load it again with these settings? Answers that are being written end with an error.`;
  const yes = useRef<HTMLButtonElement>(null);
  useEffect(() => yes.current?.focus(), []);
  return html`<div class="warning confirm" role="group" aria-label="Please confirm">
    <p>${text}</p>
    <div class="row">
      <button type="button" class="primary" ref=${yes} onClick=${onYes}>
        ${question === "unload" ? "Unload" : "Load again"}
      </button>
      <button type="button" onClick=${onNo}>Keep it as it is</button>
    </div>
  </div>`;
}
