import type { StageWork } from "./ring-client.js";

/** Mean milliseconds of a micro-batch on each stage's thread, between two looks at their counters. */
export function microBatches(before: readonly StageWork[], after: readonly StageWork[]): readonly number[] {
  return before.map(
    (_, stage) =>
      (difference(before, after, stage, "compute_seconds") * 1000) / difference(before, after, stage, "micro_batches"),
  );
}

/** Of the stage that is slowest. */
export function slowestMicroBatch(before: readonly StageWork[], after: readonly StageWork[]): number {
  return Math.max(...microBatches(before, after));
}

export function difference(
  before: readonly StageWork[],
  after: readonly StageWork[],
  stage: number,
  counter: keyof StageWork,
): number {
  return (after[stage]?.[counter] ?? Number.NaN) - (before[stage]?.[counter] ?? Number.NaN);
}
