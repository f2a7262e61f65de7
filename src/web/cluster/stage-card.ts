import { html } from "htm/preact";
import type { ClusterNode, ClusterRing, ClusterStage } from "../api/cluster-document.js";
import { formatBytes, formatLayers } from "../app/format.js";
import { MemoryBar } from "./memory-bar.js";
import { stageState } from "./ring-facts.js";
import type { Point } from "./ring-geometry.js";

/** Colours there are for stages. */
export const TINTS = 8;

interface StageCardProps {
  readonly ring: ClusterRing;
  readonly stage: ClusterStage;
  readonly index: number;
  readonly node: ClusterNode | undefined;
  readonly at: Point | undefined;
  /** 0…1; `null`: not known. */
  readonly busy: number | null;
}

/** One stage of a ring: its node, what it holds, and how it is. */
export function StageCard({ ring, stage, index, node, at, busy }: StageCardProps) {
  const state = stageState(stage, ring, node);
  const place = at === undefined ? {} : { "--left": `${at.x}%`, "--top": `${at.y}%` };
  const name = node?.name ?? stage.nodeName;
  return html`<div class=${`stage-card tint-${index % TINTS} is-${state.kind}`} style=${place}>
    <h3 class="stage-name">
      <span class="stage-title" title=${name}>${name}</span>
      ${index === 0 ? html`<span class="badge">head</span>` : null}
    </h3>
    <p class="stage-layers">${formatLayers(stage.layerBegin, stage.layerEnd)}</p>
    <p class="stage-fact">${memoryText(stage)}</p>
    ${node === undefined ? null : html`<${MemoryBar} node=${node} />`}
    <p class="stage-fact">${node === undefined ? "" : devicesText(node)}</p>
    <p class="stage-state">
      <span class="dot" aria-hidden="true"></span><span class="stage-state-text" title=${state.text}>${state.text}</span>
      ${busy === null || busy < 0.005 ? null : html`<span class="stage-busy">${Math.round(busy * 100)} % busy</span>`}
    </p>
  </div>`;
}

function memoryText({ weights, kvCache }: ClusterStage): string {
  return weights === 0 ? "nothing loaded yet" : `${formatBytes(weights)} + ${formatBytes(kvCache)} KV cache`;
}

export function devicesText({ devices, state }: ClusterNode): string {
  if (state === "gone") return "";
  return devices
    .map(({ name, memoryFree, memoryTotal }) => {
      return `${name} ${formatBytes(memoryFree)} of ${formatBytes(memoryTotal)} free`;
    })
    .join(", ");
}
