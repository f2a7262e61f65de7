/** The numbers of repeated measurements, quoted by their median. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = ascending(samples);
  return { median: quantile(sorted, 0.5), min: quantile(sorted, 0), max: quantile(sorted, 1) };
}

/** Linear interpolation between the ranks of an ascending list; NaN of an empty one. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

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

export function ascending(samples: readonly number[]): number[] {
  return [...samples].sort((a, b) => a - b);
}
