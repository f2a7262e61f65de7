import { html } from "htm/preact";
import { fieldValue } from "../app/field.js";
import type { Chat } from "./chat.js";
import type { ParameterStore } from "./parameter-store.js";
import { NUMBER_FIELDS, type NumberField, type ParameterName } from "./parameters.js";

/** How the next answers are made. Kept in this browser. */
export function ParameterPanel({ chat }: { chat: Chat }) {
  const store = chat.parameters;
  return html`<section id="parameters" class="panel parameters" aria-label="Parameters" hidden=${!chat.panels.parameters.value}>
    <div class="panel-head">
      <h2>Parameters</h2>
      <button type="button" disabled=${!store.changed} onClick=${() => store.reset()}>Reset</button>
      <button type="button" class="quiet close" aria-label="Close" onClick=${() => chat.panels.close("parameters")}>×</button>
    </div>
    <p class="note">Of the answers to come. Empty fields leave it to the node.</p>
    <${TextField} store=${store} name="systemPrompt" label="System prompt" rows=${4} />
    <div class="numbers">
      ${NUMBER_FIELDS.map((field) => html`<${NumberInput} key=${field.name} store=${store} field=${field} />`)}
    </div>
    <${TextField} store=${store} name="stop" label=${"Stop texts, one per line; \\n is a line's end"} rows=${2} />
    <${Format} store=${store} />
    <${TextField} store=${store} name="tools" label="Tools, a JSON array" rows=${3} code />
  </section>`;
}

interface FieldProps {
  readonly store: ParameterStore;
  readonly name: ParameterName;
  readonly label: string;
  readonly rows: number;
  readonly code?: boolean;
}

function TextField({ store, name, label, rows, code = false }: FieldProps) {
  return html`<div class="field">
    <label for=${idOf(name)}>${label}</label>
    <textarea
      id=${idOf(name)}
      class=${code ? "code-field" : ""}
      rows=${rows}
      spellcheck=${!code}
      value=${store.form.value[name]}
      ...${faultAttributes(store, name)}
      onInput=${(event: Event) => store.set(name, fieldValue(event))}
    ></textarea>
    <${Fault} store=${store} name=${name} />
  </div>`;
}

function NumberInput({ store, field }: { store: ParameterStore; field: NumberField }) {
  const { name, label, placeholder, whole } = field;
  return html`<div class="field">
    <label for=${idOf(name)}>${label}</label>
    <input
      id=${idOf(name)}
      inputmode=${whole ? "numeric" : "decimal"}
      placeholder=${placeholder}
      value=${store.form.value[name]}
      ...${faultAttributes(store, name)}
      onInput=${(event: Event) => store.set(name, fieldValue(event))}
    />
    <${Fault} store=${store} name=${name} />
  </div>`;
}

function Format({ store }: { store: ParameterStore }) {
  const format = store.form.value.format;
  return html`<div class="field">
      <label for=${idOf("format")}>Form of the answer</label>
      <select
        id=${idOf("format")}
        value=${format}
        onChange=${(event: Event) => store.set("format", fieldValue(event))}
      >
        <option value="text">Text</option>
        <option value="json_object">JSON, any</option>
        <option value="json_schema">JSON of a schema</option>
      </select>
    </div>
    ${format === "json_schema" ? html`<${TextField} store=${store} name="schema" label="JSON schema" rows=${5} code />` : null}`;
}

function Fault({ store, name }: { store: ParameterStore; name: ParameterName }) {
  const fault = store.read.value.faults[name];
  return fault === undefined ? null : html`<p class="error" id=${faultId(name)}>${fault}</p>`;
}

function faultAttributes(store: ParameterStore, name: ParameterName) {
  const wrong = store.read.value.faults[name] !== undefined;
  return wrong ? { "aria-invalid": "true", "aria-describedby": faultId(name) } : {};
}

/** `maxTokens` → `max-tokens` */
function idOf(name: ParameterName): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function faultId(name: ParameterName): string {
  return `${idOf(name)}-fault`;
}
