import { html } from "htm/preact";
import type { ClusterNode } from "../api/cluster-document.js";
import { formatBytes } from "../app/format.js";
import { memoryFill } from "./memory-fill.js";

/** What fills a node's memory, as a bar that is read out in words. */
export function MemoryBar({ node }: { node: ClusterNode }) {
  const parts = memoryFill(node).filter(({ bytes }) => bytes > 0);
  if (parts.length === 0) return null;
  const words = parts.map(({ label, bytes }) => `${label} ${formatBytes(bytes)}`).join(", ");
  return html`<div class="memory-bar" role="img" aria-label=${`Memory of ${node.name}: ${words}`} title=${words}>
    ${parts.map(({ kind, share }) => html`<span key=${kind} class=${`fill-${kind}`} style=${{ flexGrow: share }}></span>`)}
  </div>`;
}

const KEY = [
  ["weights", "weights"],
  ["kv", "KV cache"],
  ["compute", "buffers"],
  ["other", "other use"],
  ["free", "free"],
] as const;

/** What the colours of the bars mean. */
export function MemoryKey() {
  return html`<ul class="memory-key" aria-label="Colours of the memory bars">
    ${KEY.map(([kind, label]) => html`<li key=${kind}><span class=${`swatch fill-${kind}`}></span>${label}</li>`)}
  </ul>`;
}
