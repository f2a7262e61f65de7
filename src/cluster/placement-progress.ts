import { isDeepStrictEqual } from "node:util";
import { displayNames } from "../core/display-names.js";
import type { RingRecord } from "./node-record.js";
import { answersTo } from "./ring-record.js";

/** What happens to the model that the node was started with, for progress bars. */
export interface PlacementProgress {
  readonly model: string;
  readonly state: "waiting" | "loading" | "ready" | "failed";
  /** Why it waits or failed, or `null`. */
  readonly reason: string | null;
  readonly stages: readonly {
    readonly nodeName: string;
    readonly layerBegin: number;
    readonly layerEnd: number;
    /** Bytes of weights that it is to hold; absent or 0 while nobody knows. */
    readonly plannedWeights?: number;
    /** `waiting`, `fetch`, `load` or `loaded`. */
    readonly phase: string;
    /** 0…1 within its phase. */
    readonly progress: number;
  }[];
}

export function toProgress({ model, state, reason, stages }: RingRecord): PlacementProgress {
  const names = displayNames(stages.map(({ nodeId, nodeName }) => ({ id: nodeId, name: nodeName })));
  const named = stages.map((stage) => ({ ...stage, nodeName: names.get(stage.nodeId) ?? stage.nodeName }));
  return { model, state, reason, stages: named };
}

/** The rings of the cluster, and when they change. */
export interface RingNews {
  list(): readonly { readonly ring: RingRecord }[];
  onChange(listener: () => void): () => void;
}

/** Tells at once, and then with every change, how it stands with a model, wherever its head is. */
export function followProgress(
  rings: RingNews,
  spec: string,
  listener: (progress: PlacementProgress) => void,
): () => void {
  let last: PlacementProgress | null = null;
  const tell = (): void => {
    const named = rings.list().filter(({ ring }) => answersTo(ring, spec));
    const ring = (named.find((one) => !one.ring.gaveUp) ?? named[0])?.ring;
    if (ring === undefined) return;
    const progress = toProgress(ring);
    if (isDeepStrictEqual(progress, last)) return;
    last = progress;
    listener(progress);
  };
  tell();
  return rings.onChange(tell);
}
