import { html } from "htm/preact";
import type { PlacementWishes } from "../api/planning-documents.js";
import { fieldValue } from "../app/field.js";

export const NO_WISHES: PlacementWishes = { contextSize: null, slots: null, strategy: null, kv: null, layers: null };

const STRATEGIES = [
  ["", "as this node is set"],
  ["latency", "one answer as fast as possible"],
  ["throughput", "many answers at once"],
  ["memory-weighted", "by memory alone"],
] as const;

const KV_TYPES = [
  ["", "as this node is set"],
  ["f16", "f16"],
  ["q8_0", "q8_0 (half the memory)"],
  ["q4_0", "q4_0 (a quarter; less exact)"],
  ["f32", "f32 (twice the memory)"],
] as const;

interface WishesFormProps {
  readonly wishes: PlacementWishes;
  readonly onChange: (wishes: PlacementWishes) => void;
}

/** How a model is to be loaded; every field may stay empty. */
export function WishesForm({ wishes, onChange }: WishesFormProps) {
  return html`<fieldset class="wishes">
    <legend>How to load it</legend>
    <${NumberField}
      label="Context, tokens per answer"
      hint="as fits"
      min=${16}
      value=${wishes.contextSize}
      onChange=${(contextSize: number | null) => onChange({ ...wishes, contextSize })}
    />
    <${NumberField}
      label="Slots, answers at once"
      hint="as this node is set"
      min=${1}
      value=${wishes.slots}
      onChange=${(slots: number | null) => onChange({ ...wishes, slots })}
    />
    <${ChoiceField}
      label="Strategy"
      choices=${STRATEGIES}
      value=${wishes.strategy}
      onChange=${(strategy: string | null) => onChange({ ...wishes, strategy })}
    />
    <${ChoiceField}
      label="KV cache"
      choices=${KV_TYPES}
      value=${wishes.kv}
      onChange=${(kv: string | null) => onChange({ ...wishes, kv })}
    />
  </fieldset>`;
}

interface NumberFieldProps {
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly value: number | null;
  readonly onChange: (value: number | null) => void;
}

function NumberField({ label, hint, min, value, onChange }: NumberFieldProps) {
  const read = (event: Event): void => {
    const number = Math.floor(Number(fieldValue(event)));
    onChange(Number.isFinite(number) && number > 0 ? number : null);
  };
  return html`<label>
    <span>${label}</span>
    <input type="number" min=${min} step="1" inputmode="numeric" placeholder=${hint} value=${value ?? ""} onInput=${read} />
  </label>`;
}

interface ChoiceFieldProps {
  readonly label: string;
  readonly choices: readonly (readonly [string, string])[];
  readonly value: string | null;
  readonly onChange: (value: string | null) => void;
}

function ChoiceField({ label, choices, value, onChange }: ChoiceFieldProps) {
  const read = (event: Event): void => onChange(fieldValue(event) || null);
  return html`<label>
    <span>${label}</span>
    <select value=${value ?? ""} onChange=${read}>
      ${choices.map(([word, text]) => html`<option key=${word} value=${word}>${text}</option>`)}
    </select>
  </label>`;
}
