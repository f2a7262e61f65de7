/** How far two results of the same computation are apart. */
export interface Difference {
  readonly equal: boolean;
  /** Of one logit. */
  readonly largest: number;
}

export function difference(a: Float32Array, b: Float32Array): Difference {
  let largest = 0;
  let equal = a.length === b.length;
  a.forEach((value, index) => {
    const other = b[index] ?? Number.NaN;
    equal &&= Object.is(value, other) || value === other;
    largest = Math.max(largest, Math.abs(value - other));
  });
  return { equal, largest };
}

export function describeDifference({ equal, largest }: Difference): string {
  return equal ? "same bits" : `differs by ≤ ${largest.toExponential(1)}`;
}
