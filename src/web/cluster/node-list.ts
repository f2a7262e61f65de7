import { html } from "htm/preact";
import type { ClusterDocument, ClusterNode } from "../api/cluster-document.js";
import { isMember, stateWord } from "./member.js";
import { MemoryBar, MemoryKey } from "./memory-bar.js";
import { millisecondsText, whyUnused } from "./ring-facts.js";
import { devicesText } from "./stage-card.js";

/** The nodes of the cluster, then those that were seen and take no part, each with the reason. */
export function NodeLists({ cluster }: { cluster: ClusterDocument }) {
  const members = cluster.nodes.filter(isMember);
  const strangers = cluster.nodes.filter((node) => !isMember(node));
  return html`<section class="card" aria-labelledby="nodes-title">
      <h2 id="nodes-title">Nodes</h2>
      <${MemoryKey} />
      <ul class="node-list">
        ${members.map((node) => html`<${Member} key=${node.id} node=${node} cluster=${cluster} />`)}
      </ul>
    </section>
    ${strangers.length === 0 ? null : html`<${Strangers} nodes=${strangers} />`}`;
}

function Member({ node, cluster }: { node: ClusterNode; cluster: ClusterDocument }) {
  const { name, address, state, reason, notice } = node;
  const sentences = [reason, notice, ...whyUnused(node, cluster.rings)].filter((text) => text !== null && text !== "");
  return html`<li class=${`node is-${state}`}>
    <h3 class="node-name">
      <span class="dot" aria-hidden="true"></span>${name}
      <span class="badge">${stateWord(state)}</span>
      ${remarks(node, cluster).map((text) => html`<span key=${text} class="badge">${text}</span>`)}
    </h3>
    <p class="node-facts">${address}${wayText(node, cluster)}</p>
    ${state === "gone" ? null : html`<${MemoryBar} node=${node} />`}
    <p class="node-facts">${devicesText(node)}</p>
    ${sentences.map((text) => html`<p key=${text} class=${text === reason ? "warning" : "node-facts"}>${text}</p>`)}
  </li>`;
}

function remarks(node: ClusterNode, { node: own, rings }: ClusterDocument): readonly string[] {
  const holds = rings.some(({ stages }) => stages.some(({ nodeId }) => nodeId === node.id));
  return [
    ...(node.id === own.id ? ["this node"] : []),
    ...(node.draining ? [holds ? "draining" : "drained"] : []),
    ...(node.power === "battery" ? ["on battery"] : []),
    ...(node.state === "alive" && rings.length > 0 && !holds ? ["no layers"] : []),
  ];
}

/** How long a message from the node that answers takes. */
function wayText({ id }: ClusterNode, { node: own, links }: ClusterDocument): string {
  const link = links.find(({ from, to }) => from === own.id && to === id);
  return link === undefined ? "" : `, ${millisecondsText(link.oneWayMilliseconds)} away`;
}

function Strangers({ nodes }: { nodes: readonly ClusterNode[] }) {
  return html`<section class="card" aria-labelledby="strangers-title">
    <h2 id="strangers-title">Seen, but not used</h2>
    <ul class="node-list">
      ${nodes.map(
        ({ id, name, address, source, reason, state }) => html`<li key=${id} class=${`node is-${state}`}>
          <h3 class="node-name">
            <span class="dot" aria-hidden="true"></span>${name}
            ${source === null ? null : html`<span class="badge">found by ${source}</span>`}
          </h3>
          ${name === address ? null : html`<p class="node-facts">${address}</p>`}
          <p class="node-facts">${reason ?? "It has not answered yet."}</p>
        </li>`,
      )}
    </ul>
  </section>`;
}
