/** The numbers of repeated measurements; quoted by their median. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

/** `null` of no samples. */
export function spreadOf(samples: readonly number[]): Spread | null {
  if (samples.length === 0) return null;
  const sorted = samples.toSorted((a, b) => a - b);
  return { median: rank(sorted, 0.5), min: rank(sorted, 0), max: rank(sorted, 1), samples };
}

/** By linear interpolation between ranks; `null` of no samples. */
export function quantile(samples: readonly number[], part: number): number | null {
  return samples.length === 0
    ? null
    : rank(
        samples.toSorted((a, b) => a - b),
        part,
      );
}

function rank(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
