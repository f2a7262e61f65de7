import { html } from "htm/preact";
import { formatBytes } from "../app/format.js";
import { toHash } from "../app/route.js";
import { type ModelRow, type RowState, roughFit } from "./model-rows.js";

const GROUPS: readonly { readonly title: string; readonly states: readonly RowState[] }[] = [
  { title: "On a ring", states: ["loaded", "loading", "waiting", "failed"] },
  { title: "On a disk of this cluster", states: ["disk"] },
  { title: "Could be fetched", states: ["catalogue"] },
];

interface ModelListProps {
  readonly rows: readonly ModelRow[];
  readonly chosen: string | null;
  /** Of all nodes, bytes. */
  readonly free: number;
}

/** All models that are known, nearest first. */
export function ModelList({ rows, chosen, free }: ModelListProps) {
  return html`${GROUPS.map(({ title, states }) => {
    const own = rows.filter(({ state }) => states.includes(state));
    if (own.length === 0) return null;
    return html`<h3 key=${title}>${title}</h3>
      <ul class="model-list">
        ${own.map((row) => html`<${Row} key=${row.id} row=${row} isChosen=${row.id === chosen} free=${free} />`)}
      </ul>`;
  })}`;
}

function Row({ row, isChosen, free }: { row: ModelRow; isChosen: boolean; free: number }) {
  const { id, state, bytes, rings } = row;
  const facts = [
    bytes === null ? "" : formatBytes(bytes),
    stateText(row),
    rings.length > 0 ? "" : roughFit(bytes, free),
  ].filter((fact) => fact !== "");
  return html`<li>
    <a class="model-row" href=${toHash("models", id)} aria-current=${isChosen ? "true" : undefined}>
      <span class="model-name">${id}</span>
      <span class=${`model-facts state-text-${state}`}>${facts.join(", ")}</span>
    </a>
  </li>`;
}

function stateText({ state, rings, holders }: ModelRow): string {
  const [ring] = rings;
  if (state === "loading") return `loading ${Math.floor((ring?.progress ?? 0) * 100)} %`;
  if (state === "loaded" || state === "waiting" || state === "failed") return state;
  const partly = holders.length > 0 && holders.every(({ complete }) => !complete);
  return partly ? "in part" : "";
}
