import { type Spread, spreadOf } from "../src/core/statistics.js";

/**
 * How the first stands to the second. Measurements of the same round are compared with each other, because what slows a
 * shared machine in one round slows both; where the rounds do not match, the medians are compared.
 */
export function ratioOf(samples: readonly number[], reference: readonly number[]): Spread {
  if (samples.length !== reference.length) {
    return spreadOf([spreadOf(samples).median / spreadOf(reference).median]);
  }
  return spreadOf(samples.map((sample, round) => sample / (reference[round] ?? Number.NaN)));
}
