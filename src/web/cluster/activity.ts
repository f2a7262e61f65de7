import type { ActivityOfRing } from "../api/activity-document.js";
import type { ClusterDocument } from "../api/cluster-document.js";

/** What a ring did lately. */
export interface RingActivity {
  /** Something was computed since the look before. */
  readonly flows: boolean;
  /** Over the last seconds; 0: nothing was computed. */
  readonly tokensPerSecond: number;
  /** Of each stage, 0…1: how much of the time it computed; `null`: not known. */
  readonly busy: readonly (number | null)[];
  /** From each stage to the next one, milliseconds; empty or `null`: not known. */
  readonly hops: readonly (number | null)[];
}

export const IDLE: RingActivity = { flows: false, tokensPerSecond: 0, busy: [], hops: [] };

/** By ring id, as a node tells it of the time since it last did. */
export function activityOf(rings: readonly ActivityOfRing[], seconds: number): ReadonlyMap<string, RingActivity> {
  return new Map(
    rings.map(({ id, tokens, busySeconds, hopMilliseconds }) => {
      const busy = busySeconds.map((value) => shareOf(value, seconds));
      const flows = tokens > 0 || busySeconds.some((value) => value !== null && value > 0);
      return [id, { flows, tokensPerSecond: seconds > 0 ? tokens / seconds : 0, busy, hops: hopMilliseconds }];
    }),
  );
}

function shareOf(busySeconds: number | null, seconds: number): number | null {
  return busySeconds === null || seconds <= 0 ? null : Math.min(1, Math.max(0, busySeconds / seconds));
}

/** By ring id, from two looks that lie so many seconds apart: what nodes count only grows. */
export function activityBetween(
  before: ClusterDocument,
  after: ClusterDocument,
  seconds: number,
): ReadonlyMap<string, RingActivity> {
  return new Map(
    after.rings.map((ring) => {
      const deltas = ring.stages.map(({ nodeId }) => workDelta(before, after, ring.id, nodeId));
      const flows = deltas.some((delta) => delta !== null && delta.microBatches > 0);
      const busy = deltas.map((delta) => shareOf(delta === null ? null : delta.computeSeconds, seconds));
      return [ring.id, { flows, tokensPerSecond: flows ? ring.decodeTokensPerSecond : 0, busy, hops: [] }];
    }),
  );
}

/** `null` where one of the two looks does not show the stage, or it was loaded anew in between. */
function workDelta(before: ClusterDocument, after: ClusterDocument, ringId: string, nodeId: string) {
  const now = workOf(after, ringId, nodeId);
  const then = workOf(before, ringId, nodeId);
  if (now === undefined || then === undefined || now.microBatches < then.microBatches) return null;
  return { microBatches: now.microBatches - then.microBatches, computeSeconds: now.computeSeconds - then.computeSeconds };
}

function workOf({ nodes }: ClusterDocument, ringId: string, nodeId: string) {
  return nodes.find(({ id }) => id === nodeId)?.held.find((stage) => stage.ringId === ringId);
}

/** Seconds that a dot takes from one stage to the next: faster rings, faster dots, but always so that eyes can follow. */
export function dotSeconds(tokensPerSecond: number): number {
  if (tokensPerSecond <= 0) return 1.5;
  return Math.min(1.5, Math.max(0.3, 6 / tokensPerSecond));
}
