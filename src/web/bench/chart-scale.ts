const STEPS = [1, 2, 2.5, 5, 10];

/** The smallest round number that is not below the value: the end of a chart's axis. */
export function roundCeiling(value: number): number {
  if (!Number.isFinite(value) || value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = STEPS.find((candidate) => candidate * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/** How long a bar is, 0…1 of the axis. */
export function barShare(value: number, ceiling: number): number {
  if (!Number.isFinite(value) || value <= 0 || ceiling <= 0) return 0;
  return Math.min(1, value / ceiling);
}

/** Marks of an axis from 0 to its end, both among them. */
export function axisMarks(ceiling: number, parts: number): readonly number[] {
  return Array.from({ length: parts + 1 }, (_, index) => (ceiling * index) / parts);
}
