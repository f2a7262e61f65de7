import { listAt, numberAt, optionalNumberAt, textAt } from "./json.js";

/** What one ring has done so far; its numbers only grow while the epoch is the same. */
export interface RingCounts {
  readonly id: string;
  readonly epoch: number;
  /** Tokens of answers; `null`: the node does not tell. */
  readonly generated: number | null;
  readonly stages: readonly StageCounts[];
  /** What the last micro-batch took from each stage to the next one, the last one's being back to the head. */
  readonly hopMilliseconds: readonly (number | null)[];
}

export interface StageCounts {
  readonly nodeId: string;
  readonly microBatches: number;
  readonly busySeconds: number;
}

/** The event `activity` of `GET /cluster/events`. */
export function parseActivity(body: unknown): readonly RingCounts[] {
  return listAt(body, "rings").map((ring) => ({
    id: textAt(ring, "id"),
    epoch: numberAt(ring, "epoch"),
    generated: optionalNumberAt(ring, "tokens", "generated"),
    stages: listAt(ring, "stages").map((stage) => ({
      nodeId: textAt(stage, "node_id"),
      microBatches: numberAt(stage, "micro_batches"),
      busySeconds: numberAt(stage, "busy_seconds"),
    })),
    hopMilliseconds: listAt(ring, "hops").map((hop) => optionalNumberAt(hop, "latest_ms")),
  }));
}
