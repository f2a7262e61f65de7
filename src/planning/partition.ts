import type { ModelCost } from "./cost.js";

/** Where each stage's range ends, in ring order; the first begins at 0. */
export type Cuts = readonly number[];

/** What a stage may hold. */
export interface StageRoom {
  /** Bytes, to which its layers' are to be in proportion. */
  readonly memory: number;
  /** `earliestBegins` */
  readonly earliest: Int32Array;
  /** `headRanges` */
  readonly canHead: readonly boolean[];
}

/**
 * Cuts the layers into one contiguous range of at least one layer per stage so that every stage fits its memory and
 * the layers' bytes are as close to proportional to memory as can be: it minimises Σ bytes²/memory, whose optimum
 * without whole layers is exactly proportional. Stage 0 is the head. `null`: these stages in this order cannot hold it.
 *
 * Exact dynamic programme, O(stages · layers²).
 */
export function partition(cost: ModelCost, mayBegin: readonly boolean[], stages: readonly StageRoom[]): Cuts | null {
  const { layerCount } = cost;
  let best: number[] = [0, ...new Array<number>(layerCount).fill(Number.POSITIVE_INFINITY)];
  const begins: number[][] = [];
  for (const [stage, room] of stages.entries()) {
    const next = new Array<number>(layerCount + 1).fill(Number.POSITIVE_INFINITY);
    const beginOf = new Array<number>(layerCount + 1).fill(-1);
    for (let end = stage + 1; end <= layerCount; end++) {
      for (let begin = firstBegin(room, stage, end); begin < end; begin++) {
        if (mayBegin[begin] !== true) continue;
        const total = (best[begin] ?? Number.POSITIVE_INFINITY) + cost.layerBytes(begin, end) ** 2 / room.memory;
        if (total < (next[end] ?? 0)) {
          next[end] = total;
          beginOf[end] = begin;
        }
      }
    }
    best = next;
    begins.push(beginOf);
  }
  return Number.isFinite(best[layerCount]) ? traceBack(begins, layerCount) : null;
}

/** `end` where nothing fits. */
function firstBegin({ earliest, canHead }: StageRoom, stage: number, end: number): number {
  if (stage === 0) return canHead[end] === true ? 0 : end;
  return Math.max(stage, earliest[end] ?? end);
}

function traceBack(begins: readonly (readonly number[])[], layerCount: number): Cuts {
  const cuts: number[] = [];
  let end = layerCount;
  for (const beginOf of begins.toReversed()) {
    cuts.unshift(end);
    end = beginOf[end] ?? 0;
  }
  return cuts;
}
