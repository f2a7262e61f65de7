import { html } from "htm/preact";
import type { ClusterNode } from "../api/cluster-document.js";
import type { PlanDocument } from "../api/planning-documents.js";
import { formatBytes, formatLayers } from "../app/format.js";
import { millisecondsText } from "../cluster/ring-facts.js";
import { TINTS } from "../cluster/stage-card.js";
import { addPart, dropPart, makeHead, movePart, rangesOf, type Split, type SplitPart } from "./split.js";
import { SplitBar } from "./split-bar.js";

interface SplitEditorProps {
  readonly split: Split;
  /** Of this split, or of the one before while it is asked for; `null`: none came yet. */
  readonly plan: PlanDocument | null;
  readonly isByHand: boolean;
  /** Nodes that could take layers. */
  readonly nodes: readonly ClusterNode[];
  readonly onChange: (split: Split) => void;
  readonly onReset: () => void;
}

/** Which node gets which layers: as planned, and as the reader moves them. */
export function SplitEditor({ split, plan, isByHand, nodes, onChange, onReset }: SplitEditorProps) {
  const layerCount = split.reduce((sum, { layers }) => sum + layers, 0);
  const idle = nodes.filter(({ id }) => !split.some(({ nodeId }) => nodeId === id));
  return html`<fieldset class="split-editor">
    <legend>Which machine gets which layers</legend>
    <p class="note">${isByHand ? "Made by hand." : "As the planner would place it now. Move a cut to change it."}</p>
    <${SplitBar} split=${split} layerCount=${layerCount} onChange=${onChange} />
    <ol class="split-parts">
      ${split.map(
        (part, index) => html`<${Part}
          key=${part.nodeId}
          split=${split}
          part=${part}
          index=${index}
          plan=${plan}
          onChange=${onChange}
        />`,
      )}
    </ol>
    <div class="row">
      ${idle.map(
        ({ id, name }) => html`<button
          key=${id}
          type="button"
          onClick=${() => onChange(addPart(split, { nodeId: id, nodeName: name }))}
        >
          Use ${name} too
        </button>`,
      )}
      ${isByHand ? html`<button type="button" onClick=${onReset}>Back to the planner's choice</button>` : null}
    </div>
  </fieldset>`;
}

interface PartProps {
  readonly split: Split;
  readonly part: SplitPart;
  readonly index: number;
  readonly plan: PlanDocument | null;
  readonly onChange: (split: Split) => void;
}

function Part({ split, part, index, plan, onChange }: PartProps) {
  const { nodeId, nodeName } = part;
  const range = rangesOf(split)[index];
  const isAlone = split.length < 2;
  return html`<li class=${`split-row tint-${index % TINTS}`}>
    <p class="split-row-name">
      ${nodeName} ${index === 0 ? html`<span class="badge">head</span>` : null}
      <span class="quiet-text"> ${range === undefined ? "" : formatLayers(range.begin, range.end)}</span>
    </p>
    <p class="node-facts">${stageText(plan, nodeId, range)}</p>
    <div class="split-row-buttons">
      ${
        index === 0
          ? null
          : html`<${RowButton} text="Make head" of=${nodeName} onClick=${() => onChange(makeHead(split, index))} />
              <${RowButton} text="Up" of=${nodeName} onClick=${() => onChange(movePart(split, index, -1))} />`
      }
      ${
        isAlone
          ? null
          : html`<${RowButton} text="Leave out" of=${nodeName} onClick=${() => onChange(dropPart(split, index))} />`
      }
    </div>
  </li>`;
}

/** Says to those who do not see the row which machine it is for. */
function RowButton({ text, of, onClick }: { text: string; of: string; onClick: () => void }) {
  return html`<button type="button" onClick=${onClick}>${text} <span class="hidden">(${of})</span></button>`;
}

/** Memory and time of a stage; only when the plan is of just these layers. */
function stageText(
  plan: PlanDocument | null,
  nodeId: string,
  range: { readonly begin: number; readonly end: number } | undefined,
): string {
  const stage = plan?.stages.find((one) => one.nodeId === nodeId);
  if (stage === undefined || stage.layerBegin !== range?.begin || stage.layerEnd !== range.end) return "…";
  const memory = stage.weights + stage.kvCache + stage.compute;
  const time = stage.computeSeconds === null ? "" : `, ${millisecondsText(stage.computeSeconds * 1000)} per token`;
  const hop =
    stage.hopSeconds === null || stage.hopSeconds === 0
      ? ""
      : ` and ${millisecondsText(stage.hopSeconds * 1000)} to the next`;
  return `${formatBytes(memory)} of ${formatBytes(stage.offered)} offered${time}${hop}`;
}
