import type { RingRecord } from "./node-record.js";

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
    /** `waiting`, `fetch`, `load` or `loaded`. */
    readonly phase: string;
    /** 0…1 within its phase. */
    readonly progress: number;
  }[];
}

export function toProgress({ model, state, reason, stages }: RingRecord): PlacementProgress {
  return { model, state, reason, stages };
}
