import { compareIds } from "./topology.js";

/** A stage of a ring that works, in ring order. */
export interface GuardedStage {
  readonly nodeId: string;
  /** Half-open. */
  readonly layerBegin: number;
  readonly layerEnd: number;
  /** That it takes, in all. */
  readonly bytes: number;
}

export interface StandbyNode {
  readonly id: string;
  /** That stages may take there. */
  readonly bytes: number;
}

/** Where a stage is to be had when its node is lost. */
export interface SparePlace {
  readonly nodeId: string;
  readonly stageIndex: number;
  /** Else only its bytes are fetched. */
  readonly load: boolean;
}

/**
 * For each stage so many other nodes. Those that are in no ring come first, and hold the stage loaded as far as their
 * memory goes; where there are none, the neighbours in the ring fetch its bytes: they would take the range beside their
 * own. The head's stage is only fetched: who becomes the head decides how it is loaded.
 */
export function sparePlaces(
  stages: readonly GuardedStage[],
  idle: readonly StandbyNode[],
  count: number,
): readonly SparePlace[] {
  const left = new Map(idle.map(({ id, bytes }) => [id, bytes]));
  return stages.flatMap(({ bytes }, stageIndex) => {
    const roomiest = [...left].toSorted(([a, most], [b, more]) => more - most || compareIds(a, b));
    const standingBy = roomiest.slice(0, count).map(([nodeId, room]): SparePlace => {
      const load = stageIndex > 0 && bytes <= room;
      if (load) left.set(nodeId, room - bytes);
      return { nodeId, stageIndex, load };
    });
    const beside = neighbours(stages, stageIndex)
      .slice(0, Math.max(0, count - standingBy.length))
      .map((nodeId): SparePlace => ({ nodeId, stageIndex, load: false }));
    return [...standingBy, ...beside];
  });
}

function neighbours(stages: readonly GuardedStage[], index: number): readonly string[] {
  return [stages[index - 1], stages[index + 1]].flatMap((stage) => (stage === undefined ? [] : [stage.nodeId]));
}
