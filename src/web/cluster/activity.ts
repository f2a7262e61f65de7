import type { RingCounts, StageCounts } from "../api/activity-document.js";
import type { ClusterDocument, ClusterRing } from "../api/cluster-document.js";

/** What a ring did lately. */
export interface RingActivity {
  /** Something was computed since the look before. */
  readonly flows: boolean;
  /** `null`: not known. */
  readonly tokensPerSecond: number | null;
  /** Of each stage, 0…1: how much of the time it computed; `null`: not known. */
  readonly busy: readonly (number | null)[];
  /** Milliseconds from each stage to the next one, as of the last micro-batch; empty or `null`: not known. */
  readonly hops: readonly (number | null)[];
}

export const IDLE: RingActivity = { flows: false, tokensPerSecond: 0, busy: [], hops: [] };

/** The counts that are in the document of the cluster. */
export function countsOf({ rings, nodes }: ClusterDocument): readonly RingCounts[] {
  const stagesOf = ({ id, stages }: ClusterRing): readonly StageCounts[] =>
    stages.flatMap(({ nodeId }) => {
      const held = nodes.find((node) => node.id === nodeId)?.held.find(({ ringId }) => ringId === id);
      return held === undefined ? [] : [{ nodeId, microBatches: held.microBatches, busySeconds: held.computeSeconds }];
    });
  return rings.map((ring) => ({
    id: ring.id,
    epoch: ring.epoch,
    generated: ring.generatedTokens,
    stages: stagesOf(ring),
    hopMilliseconds: ring.hopMilliseconds,
  }));
}

/** By ring id, from two looks that lie so many seconds apart; of a ring that is new or was placed anew nothing is known. */
export function activityBetween(
  before: readonly RingCounts[],
  after: readonly RingCounts[],
  seconds: number,
): ReadonlyMap<string, RingActivity> {
  return new Map(
    after.map((ring): readonly [string, RingActivity] => {
      const was = before.find(({ id, epoch }) => id === ring.id && epoch === ring.epoch);
      return [ring.id, was === undefined ? { ...IDLE, hops: ring.hopMilliseconds } : ringActivity(was, ring, seconds)];
    }),
  );
}

function ringActivity(was: RingCounts, ring: RingCounts, seconds: number): RingActivity {
  const stages = ring.stages.map((stage) => ({
    stage,
    past: was.stages.find(({ nodeId }) => nodeId === stage.nodeId),
  }));
  const flows = stages.some(({ stage, past }) => past !== undefined && stage.microBatches > past.microBatches);
  const busy = stages.map(({ stage, past }) => shareOf(stage.busySeconds - (past?.busySeconds ?? Number.NaN), seconds));
  return { flows, tokensPerSecond: flows ? rateOf(was, ring, seconds) : 0, busy, hops: ring.hopMilliseconds };
}

function rateOf(was: RingCounts, ring: RingCounts, seconds: number): number | null {
  if (was.generated === null || ring.generated === null || seconds <= 0) return null;
  return Math.max(0, ring.generated - was.generated) / seconds;
}

function shareOf(busySeconds: number, seconds: number): number | null {
  return Number.isNaN(busySeconds) || seconds <= 0 ? null : Math.min(1, Math.max(0, busySeconds / seconds));
}

/** Seconds that a dot takes from one place to the next: faster rings, faster dots, but always so that eyes can follow. */
export function dotSeconds(tokensPerSecond: number | null): number {
  if (tokensPerSecond === null || tokensPerSecond <= 0) return 1.5;
  return Math.min(1.5, Math.max(0.3, 6 / tokensPerSecond));
}
