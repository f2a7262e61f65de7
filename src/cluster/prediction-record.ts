import { z } from "zod";

const seconds = z.number().nonnegative();
const rate = z.number().nonnegative();

const predictedSpeed = z.object({
  /** Of a prompt of 512 tokens, one stream. */
  ttftSeconds: seconds,
  decodeTokensPerSecond: rate,
  /** With all slots busy. */
  aggregateTokensPerSecond: rate,
});

/** Of requests that had the ring to themselves; `null` before there were any. */
const measuredSpeed = z.object({
  /** Of a prompt of 512 tokens: longer and shorter ones are scaled to that. */
  ttftSeconds: seconds.nullable(),
  decodeTokensPerSecond: rate.nullable(),
  /** That this is from. */
  requests: z.int().nonnegative(),
});

/** How far the plan of a ring was off. */
export const predictionSchema = z.object({
  /** `null` when nothing was measured at the time of the plan. */
  predicted: predictedSpeed.nullable(),
  measured: measuredSpeed,
  /** (predicted - measured) / measured; `null` where one of the two is missing. */
  error: z.object({ ttft: z.number().nullable(), decode: z.number().nullable() }),
});

export type PredictedSpeed = z.infer<typeof predictedSpeed>;
export type MeasuredSpeed = z.infer<typeof measuredSpeed>;
export type PredictionRecord = z.infer<typeof predictionSchema>;

export const NOTHING_MEASURED: MeasuredSpeed = { ttftSeconds: null, decodeTokensPerSecond: null, requests: 0 };

/** What a plan foresees; `null` of one that was made before anything was measured. */
export function predictedBy(plan: object): PredictedSpeed | null {
  const found = predictedSpeed.safeParse(Reflect.get(plan, "predicted"));
  return found.success ? found.data : null;
}

export function predictionOf(predicted: PredictedSpeed | null, measured: MeasuredSpeed): PredictionRecord {
  return {
    predicted,
    measured,
    error: {
      ttft: relative(predicted?.ttftSeconds, measured.ttftSeconds),
      decode: relative(predicted?.decodeTokensPerSecond, measured.decodeTokensPerSecond),
    },
  };
}

function relative(predicted: number | undefined, measured: number | null): number | null {
  return predicted === undefined || measured === null || measured === 0 ? null : (predicted - measured) / measured;
}
