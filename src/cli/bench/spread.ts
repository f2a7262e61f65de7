import { type Spread, spreadOf } from "../../core/statistics.js";

/** The numbers of a case that was measured at least once, and what they were. */
export interface MeasuredSpread extends Spread {
  readonly samples: readonly number[];
}

/** `null` of no samples. */
export function measuredSpread(samples: readonly number[]): MeasuredSpread | null {
  return samples.length === 0 ? null : { ...spreadOf(samples), samples };
}
