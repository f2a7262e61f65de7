import { html } from "htm/preact";
import { useState } from "preact/hooks";
import type { TraceDocument } from "../api/trace-document.js";
import { fieldValue } from "../app/field.js";
import { formatSeconds } from "../app/format.js";
import { TINTS } from "../cluster/stage-card.js";
import { type Lane, type Waterfall, waterfallOf } from "./waterfall.js";

/** Where the reader may zoom to. */
const MOST_ZOOM = 40;

/** The spans of a request in lanes, by node and stage, over one axis of time. */
export function TraceWaterfall({ trace }: { trace: TraceDocument }) {
  const nameOf = (nodeId: string): string => trace.nodeNames.get(nodeId) ?? nodeId;
  const [zoom, setZoom] = useState(1);
  const waterfall = waterfallOf(trace.spans);
  const read = (event: Event): void => setZoom(Number(fieldValue(event)));
  if (waterfall.lanes.length === 0) return html`<p class="note">No node has recorded a part of this request.</p>`;
  return html`<p>
      ${span(waterfall.seconds)} in all.
      ${trace.dropped > 0 ? ` ${trace.dropped} parts found no room and are missing.` : ""}
    </p>
    <label class="zoom">Zoom <input type="range" min="1" max=${MOST_ZOOM} step="1" value=${zoom} onInput=${read} /></label>
    <div class="waterfall" tabindex="0" role="region" aria-label="The request over time">
      ${waterfall.lanes.map(
        (lane, index) => html`<${LaneRow}
          key=${lane.key}
          lane=${lane}
          zoom=${zoom}
          nodeName=${waterfall.lanes[index - 1]?.nodeId === lane.nodeId ? null : nameOf(lane.nodeId)}
        />`,
      )}
    </div>
    <${LaneTable} waterfall=${waterfall} nameOf=${nameOf} />`;
}

interface LaneRowProps {
  readonly lane: Lane;
  readonly zoom: number;
  /** `null`: as in the lane above. */
  readonly nodeName: string | null;
}

function LaneRow({ lane, zoom, nodeName }: LaneRowProps) {
  const { name, stage, bars, seconds } = lane;
  return html`${nodeName === null ? null : html`<p class="waterfall-node">${nodeName}</p>`}
    <div class=${`lane tint-${(stage ?? TINTS - 1) % TINTS}`}>
      <span class="lane-name">${name}${stage === null ? "" : html`<span class="quiet-text"> stage ${stage}</span>`}</span>
      <svg
        class="lane-bars"
        viewBox="0 0 1000 10"
        preserveAspectRatio="none"
        style=${{ width: `${zoom * 100}%` }}
        role="img"
        aria-label=${`${name}: ${bars.length} times, ${span(seconds)} in all`}
      >
        ${bars.map(
          ({ left, width, seconds: own }, index) => html`<rect
            key=${index}
            x=${left * 1000}
            y="1"
            width=${Math.max(width * 1000, 0.5 / zoom)}
            height="8"
          >
            <title>${name} ${span(own)}</title>
          </rect>`,
        )}
      </svg>
    </div>`;
}

function LaneTable({ waterfall, nameOf }: { waterfall: Waterfall; nameOf: (nodeId: string) => string }) {
  return html`<details>
    <summary>As a table</summary>
    <div class="table-scroll" tabindex="0" role="region" aria-label="Parts of the request">
      <table>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Stage</th>
            <th scope="col">Part</th>
            <th scope="col">Times</th>
            <th scope="col">In all</th>
            <th scope="col">Longest</th>
          </tr>
        </thead>
        <tbody>
          ${waterfall.lanes.map(
            ({ key, nodeId, stage, name, bars, seconds, longest }) => html`<tr key=${key}>
              <td>${nameOf(nodeId)}</td>
              <td>${stage ?? ""}</td>
              <th scope="row">${name}</th>
              <td>${bars.length}</td>
              <td>${span(seconds)}</td>
              <td>${span(longest)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** Short times matter here. */
function span(seconds: number): string {
  const milliseconds = seconds * 1000;
  return milliseconds < 10 ? `${milliseconds.toFixed(2)} ms` : formatSeconds(milliseconds);
}
