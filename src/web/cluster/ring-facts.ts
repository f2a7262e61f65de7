import type { ClusterDocument, ClusterNode, ClusterRing, ClusterStage } from "../api/cluster-document.js";
import { stateWord } from "./member.js";

/** How a stage is: its node's trouble before its own progress. */
export interface StageState {
  /** `ready`, `loading`, `suspected` or `lost`. */
  readonly kind: "ready" | "loading" | "suspected" | "lost";
  readonly text: string;
}

export function stageState(stage: ClusterStage, ring: ClusterRing, node: ClusterNode | undefined): StageState {
  if (node === undefined || node.state === "gone") return { kind: "lost", text: withReason("lost", node?.reason) };
  if (node.state === "suspect") return { kind: "suspected", text: withReason("suspected", node.reason) };
  if (ring.state === "ready" || stage.phase === "loaded") return { kind: "ready", text: stateWord("alive") };
  return { kind: "loading", text: loadingText(stage) };
}

function loadingText({ phase, progress }: ClusterStage): string {
  const percent = ` ${Math.floor(progress * 100)} %`;
  switch (phase) {
    case "fetch":
      return `fetching${percent}`;
    case "load":
      return `loading${percent}`;
    default:
      return "waiting";
  }
}

function withReason(word: string, reason: string | null | undefined): string {
  return reason ? `${word}: ${reason}` : word;
}

export function ringStateText({ state, progress }: ClusterRing): string {
  return state === "loading" ? `loading ${Math.floor(progress * 100)} %` : state;
}

/** Short facts for the badges beside a ring's name. */
export function ringBadges(ring: ClusterRing): readonly string[] {
  const { layerCount, contextSize, slots, busySlots, waitingRequests, epoch, replica, pinned, draining } = ring;
  return [
    ...(layerCount > 0 ? [`${layerCount} layers`] : []),
    ...(contextSize > 0 ? [`context ${contextSize}`] : []),
    ...(slots > 0 ? [`${busySlots} of ${slots} slots busy`] : []),
    ...(waitingRequests > 0 ? [`${waitingRequests} waiting`] : []),
    ...(epoch > 1 ? [`epoch ${epoch}`] : []),
    ...(replica > 0 ? [`replica ${replica}`] : []),
    ...(pinned ? ["pinned"] : []),
    ...(draining ? ["draining"] : []),
  ];
}

/** Milliseconds from each stage to the next one, the last one's leading back; `null` where nobody measured it. */
export function linkTimes({ links }: ClusterDocument, { stages }: ClusterRing): readonly (number | null)[] {
  return stages.map(({ nodeId }, index) => {
    const next = stages[(index + 1) % stages.length]?.nodeId;
    return links.find(({ from, to }) => from === nodeId && to === next)?.oneWayMilliseconds ?? null;
  });
}

export function millisecondsText(milliseconds: number): string {
  const decimals = milliseconds < 1 ? 2 : milliseconds < 10 ? 1 : 0;
  return `${milliseconds.toFixed(decimals)} ms`;
}

/** Why plans left out a node that is there: the sentences of the rings' plans without its name. */
export function whyUnused({ id, name, state }: ClusterNode, rings: readonly ClusterRing[]): readonly string[] {
  if (state !== "alive") return [];
  return rings.flatMap(({ model, plan, stages }) => {
    if (stages.some(({ nodeId }) => nodeId === id)) return [];
    const marks = [`${name} is not used: `, `${name} (${id}) is not used: `];
    return plan.flatMap((sentence) => {
      const mark = marks.find((one) => sentence.startsWith(one));
      return mark === undefined ? [] : [`Not used for ${model}: ${sentence.slice(mark.length)}`];
    });
  });
}

/** Times by which two speeds may differ to be compared in percent. */
const MOST_COMPARED = 2;

/** How far a prediction was off, e.g. `12 % too fast`; empty where one of the two is missing. */
export function errorText(predicted: number | null, measured: number | null, moreIs: "faster" | "slower"): string {
  if (predicted === null || measured === null || measured <= 0) return "";
  const percent = Math.round(((predicted - measured) / measured) * 100);
  if (percent === 0) return "as predicted";
  const wasFaster = percent > 0 === (moreIs === "faster");
  const ratio = Math.max(predicted / measured, measured / predicted);
  // As a percentage this would tell of the load at the time, not of the prediction.
  if (ratio > MOST_COMPARED) return `predicted much ${wasFaster ? "faster" : "slower"} than measured`;
  return `predicted ${Math.abs(percent)} % too ${wasFaster ? "fast" : "slow"}`;
}
