import { html } from "htm/preact";
import { useState } from "preact/hooks";
import type { ClusterRing } from "../api/cluster-document.js";
import { fieldValue } from "../app/field.js";
import { formatSeconds } from "../app/format.js";
import { BenchChart } from "./bench-chart.js";
import type { BenchResult } from "./bench-history.js";
import { firstTokenRows, rateRows } from "./bench-rows.js";

interface BenchResultsProps {
  /** The latest first. */
  readonly history: readonly BenchResult[];
  readonly rings: readonly ClusterRing[];
  readonly onForget: () => void;
}

/** The chosen measurement beside the one before it of the same model. */
export function BenchResults({ history, rings, onForget }: BenchResultsProps) {
  const [chosenAt, choose] = useState<number | null>(null);
  const chosen = history.find(({ at }) => at === chosenAt) ?? history[0];
  if (chosen === undefined) {
    return html`<section class="card">
      <h2>Results</h2>
      <p class="note">Nothing has been measured in this browser yet.</p>
    </section>`;
  }
  const before = history.find(({ model, at }) => model === chosen.model && at < chosen.at) ?? null;
  // A prediction is of the ring as it is now; of another placement it says nothing.
  const ring = rings.find(({ model, stages }) => {
    return (
      model === chosen.model &&
      sameNames(
        stages.map(({ nodeName }) => nodeName),
        chosen.nodes,
      )
    );
  });
  const predicted = ring?.predicted ?? null;
  return html`<section class="card" aria-labelledby="results-title">
    <h2 id="results-title">Results</h2>
    <p>${runName(chosen)}${before === null ? "" : `, beside ${whenText(before)} on ${before.nodes.join(", ")}`}</p>
    <${BenchChart}
      title="Tokens per second (longer is better)"
      rows=${rateRows(chosen, before, predicted)}
      format=${(value: number) => value.toFixed(1)}
    />
    <${BenchChart}
      title="Time to the first token (shorter is better)"
      rows=${firstTokenRows(chosen, before, predicted)}
      format=${(value: number) => formatSeconds(value * 1000)}
    />
    <${History} history=${history} chosen=${chosen} onChoose=${choose} onForget=${onForget} />
  </section>`;
}

interface HistoryProps {
  readonly history: readonly BenchResult[];
  readonly chosen: BenchResult;
  readonly onChoose: (at: number) => void;
  readonly onForget: () => void;
}

function History({ history, chosen, onChoose, onForget }: HistoryProps) {
  const read = (event: Event): void => onChoose(Number(fieldValue(event)));
  return html`<div class="row">
    <label for="bench-run">Measurements that this browser remembers</label>
    <select id="bench-run" value=${chosen.at} onChange=${read}>
      ${history.map((result) => html`<option key=${result.at} value=${result.at}>${runName(result)}</option>`)}
    </select>
    <button type="button" onClick=${onForget}>Forget them</button>
  </div>`;
}

function runName(result: BenchResult): string {
  return `${result.model} on ${result.nodes.join(", ")}, ${whenText(result)}`;
}

function whenText({ at }: BenchResult): string {
  return new Date(at).toLocaleString();
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}
