/** The numbers of repeated measurements, quoted by their median. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** NaN everywhere of no samples. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = ascending(samples);
  return { median: quantile(sorted, 0.5), min: quantile(sorted, 0), max: quantile(sorted, 1) };
}

/** Linear interpolation between the ranks of an ascending list; NaN of an empty one. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = (sorted.length - 1) * q;
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function ascending(samples: readonly number[]): number[] {
  return samples.toSorted((a, b) => a - b);
}

/** An average in which old samples fade; 0 before the first. @param weight of the new one, 0 to 1 */
export function fadingAverage(before: number, sample: number, weight: number): number {
  return before === 0 ? sample : before + weight * (sample - before);
}
