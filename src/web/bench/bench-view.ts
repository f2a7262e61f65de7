import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ClusterRing } from "../api/cluster-document.js";
import { measureCompletion, tokenize } from "../api/measured-completion.js";
import { sentenceOf } from "../api/server-error.js";
import { fieldValue } from "../app/field.js";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import { type BenchResult, forgetHistory, readHistory, remember } from "./bench-history.js";
import { BenchResults } from "./bench-results.js";
import { runBench } from "./bench-run.js";

/** Measures the rings by asking them, as a client would, and compares with earlier times and with the plan. */
export function BenchView({ app }: { app: AppState }) {
  const [history, setHistory] = useState<readonly BenchResult[]>(() => readHistory(app.kept));
  const rings = (app.cluster.value?.rings ?? []).filter(({ state }) => state === "ready");
  const [model, setModel] = useState("");
  const ring = rings.find((one) => one.model === model) ?? rings[0];
  const measuring = useMeasuring(app, (result) => setHistory(remember(app.kept, result)));
  const forget = (): void => {
    forgetHistory(app.kept);
    setHistory([]);
  };
  return html`<h1>Benchmarks</h1>
    ${app.trouble.value === null ? null : html`<p class="error" role="alert">${app.trouble.value}</p>`}
    <section class="card" aria-labelledby="measure-title">
      <h2 id="measure-title">Measure a model</h2>
      ${
        ring === undefined
          ? html`<p>No model is ready. <a href=${toHash("models")}>Load one</a>, then come back.</p>`
          : html`<${MeasureForm} rings=${rings} ring=${ring} onChoose=${setModel} measuring=${measuring} />`
      }
    </section>
    <${BenchResults} history=${history} rings=${rings} onForget=${forget} />`;
}

interface Measuring {
  /** `null`: nothing is measured now. */
  readonly step: { readonly text: string; readonly done: number } | null;
  /** Why the last one came to nothing, or `null`. */
  readonly failure: string | null;
  readonly start: (ring: ClusterRing) => void;
  readonly stop: () => void;
}

function useMeasuring(app: AppState, onResult: (result: BenchResult) => void): Measuring {
  const [step, setStep] = useState<Measuring["step"]>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (ring: ClusterRing): Promise<void> => {
    const stop = new AbortController();
    running.current = stop;
    setFailure(null);
    try {
      onResult(await measured(app, ring, stop.signal, (text, done) => setStep({ text, done })));
    } catch (thrown) {
      setFailure(stop.signal.aborted ? "Stopped; nothing was kept of it." : sentenceOf(thrown));
    }
    setStep(null);
    running.current = null;
  };
  return { step, failure, start: (ring) => void start(ring), stop: () => running.current?.abort() };
}

async function measured(
  { server }: AppState,
  ring: ClusterRing,
  signal: AbortSignal,
  tell: (text: string, done: number) => void,
): Promise<BenchResult> {
  const { model, contextSize, slots, stages } = ring;
  const ports = {
    tokenize: (text: string) => tokenize(server, model, text, signal),
    complete: (prompt: readonly number[], maxTokens: number) =>
      measureCompletion(server, { model, prompt, maxTokens }, signal),
    now: () => performance.now(),
  };
  const numbers = await runBench(ports, { contextSize, slots }, tell);
  return { ...numbers, model, at: Date.now(), nodes: stages.map(({ nodeName }) => nodeName) };
}

interface MeasureFormProps {
  readonly rings: readonly ClusterRing[];
  readonly ring: ClusterRing;
  readonly onChoose: (model: string) => void;
  readonly measuring: Measuring;
}

function MeasureForm({ rings, ring, onChoose, measuring }: MeasureFormProps) {
  const { step, failure, start, stop } = measuring;
  const choose = (event: Event): void => onChoose(fieldValue(event));
  return html`<p class="note">
      A prompt of up to 512 tokens, then one, two and four answers of 64 tokens at once, as far as there are slots. It takes
      a minute or less on most machines; other requests at the same time make it slower.
    </p>
    <div class="row">
      <label for="bench-model">Model</label>
      <select id="bench-model" value=${ring.model} onChange=${choose} disabled=${step !== null}>
        ${rings.map(({ id, model }) => html`<option key=${id} value=${model}>${model}</option>`)}
      </select>
      ${
        step === null
          ? html`<button type="button" class="primary" onClick=${() => start(ring)}>Measure</button>`
          : html`<button type="button" onClick=${stop}>Stop</button>`
      }
    </div>
    <div role="status">
      ${
        step === null
          ? null
          : html`<p>Measuring ${step.text}…</p>
            <progress class="wide" max="1" value=${step.done} aria-label="Measuring"></progress>`
      }
      ${failure === null ? null : html`<p class="warning">${failure}</p>`}
    </div>`;
}
