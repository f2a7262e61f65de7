import { html } from "htm/preact";
import type { ClusterDocument, ClusterRing } from "../api/cluster-document.js";
import { formatBytes, formatLayers } from "../app/format.js";
import { linkTimes, millisecondsText, stageState } from "./ring-facts.js";
import { devicesText } from "./stage-card.js";

const HEADINGS = ["Node", "Layers", "Weights", "KV cache", "Memory", "Hop to the next", "State"];

/** The ring in words and numbers, for screen readers and for copying. */
export function RingTable({ cluster, ring }: { cluster: ClusterDocument; ring: ClusterRing }) {
  const times = linkTimes(cluster, ring);
  return html`<details class="ring-table">
    <summary>As a table</summary>
    <div class="table-scroll" tabindex="0" role="region" aria-label=${`Stages of ${ring.model}`}>
      <table>
        <thead>
          <tr>
            ${HEADINGS.map((heading) => html`<th key=${heading} scope="col">${heading}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${ring.stages.map((stage, index) => {
            const node = cluster.nodes.find(({ id }) => id === stage.nodeId);
            const time = times[index] ?? null;
            return html`<tr key=${stage.nodeId}>
              <th scope="row">${node?.name ?? stage.nodeName}${index === 0 ? " (head)" : ""}</th>
              <td>${formatLayers(stage.layerBegin, stage.layerEnd)}</td>
              <td>${formatBytes(stage.weights)}</td>
              <td>${formatBytes(stage.kvCache)}</td>
              <td>${node === undefined ? "" : devicesText(node)}</td>
              <td>${time === null ? "" : millisecondsText(time)}</td>
              <td>${stageState(stage, ring, node).text}</td>
            </tr>`;
          })}
        </tbody>
      </table>
    </div>
  </details>`;
}
