import { html } from "htm/preact";
import type { ClusterDocument, ClusterDownload, ClusterNode } from "../api/cluster-document.js";
import { downloadText } from "./download-text.js";

/** What the nodes fetch now, each with its rate and the time it still takes. */
export function Downloads({ cluster }: { cluster: ClusterDocument }) {
  const busy = cluster.nodes.filter(({ downloads }) => downloads.length > 0);
  return html`<section class="card" aria-labelledby="downloads-title">
    <h2 id="downloads-title">Downloads</h2>
    ${
      busy.length === 0
        ? html`<p class="note">Nothing is fetched now. A model that is loaded and not on a disk yet is fetched first.</p>`
        : busy.map((node) => html`<${NodeDownloads} key=${node.id} node=${node} />`)
    }
  </section>`;
}

function NodeDownloads({ node }: { node: ClusterNode }) {
  return html`<h3>${node.name}</h3>
    <ul class="downloads">
      ${node.downloads.map((download) => html`<${Download} key=${download.spec} node=${node} download=${download} />`)}
    </ul>`;
}

function Download({ node, download }: { node: ClusterNode; download: ClusterDownload }) {
  const { model, spec, received, total, phase, bytesPerSecond, sources } = download;
  const name = model || spec;
  // Without a value the bar shows only that something goes on.
  const value = total === null || total <= 0 ? {} : { value: Math.min(1, received / total) };
  return html`<li>
    <p class="download-name">${name}</p>
    <progress class="wide" max="1" ...${value} aria-label=${`${name} on ${node.name}`}></progress>
    <p class="node-facts">${downloadText({ received, total, phase, bytesPerSecond })}</p>
    ${sources.map(({ name: source, fault }) =>
      fault === null ? null : html`<p key=${source} class="warning">${source} is not asked any more: ${fault}</p>`,
    )}
  </li>`;
}
