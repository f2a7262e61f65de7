import { listAt, numberAt, optionalNumberAt, textAt } from "./json.js";

/** What one ring did since the event before. */
export interface ActivityOfRing {
  readonly id: string;
  readonly tokens: number;
  /** In ring order; `null` where nothing is known. */
  readonly busySeconds: readonly (number | null)[];
  /** From each stage to the next one, the last one's back to the head. */
  readonly hopMilliseconds: readonly (number | null)[];
}

/** The event `activity` of `GET /cluster/events`. */
export function parseActivity(body: unknown): readonly ActivityOfRing[] {
  return listAt(body, "rings").map((ring) => ({
    id: textAt(ring, "id"),
    tokens: numberAt(ring, "tokens"),
    busySeconds: listAt(ring, "stages").map((stage) => secondsAt(stage)),
    hopMilliseconds: listAt(ring, "hops").map((hop) => optionalNumberAt(hop, "milliseconds")),
  }));
}

function secondsAt(stage: unknown): number | null {
  return optionalNumberAt(stage, "busySeconds") ?? optionalNumberAt(stage, "busy_seconds");
}
