import { circle, line, polyline, shortNumber, svg, text } from "./svg.js";

export interface Series {
  readonly label: string;
  readonly color: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly unit: string;
  readonly series: readonly Series[];
}

const WIDTH = 760;
const HEIGHT = 380;
const PLOT = { left: 64, right: 540, top: 60, bottom: 330 } as const;
const GRID = "#d8dee4";
const SOFT = "#57606a";
const GRID_LINES = 4;

/** Lines over a scale where each doubling is as wide as the last, from zero up. */
export function drawLineChart({ title, xLabel, unit, series }: LineChart): string {
  const points = series.flatMap((one) => one.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const most = roundAbove(Math.max(0, ...points.map(({ y }) => y)) || 1);
  const [first = 1, last = 1] = [xs[0], xs.at(-1)];
  const doublings = Math.max(Math.log2(last / first), 1);
  const at = (x: number, y: number): readonly [number, number] => [
    PLOT.left + (Math.log2(x / first) / doublings) * (PLOT.right - PLOT.left),
    PLOT.bottom - (y / most) * (PLOT.bottom - PLOT.top),
  ];
  return svg(WIDTH, HEIGHT, title, [
    text(16, 24, title, { size: 15, bold: true }),
    text(16, 43, unit, { fill: SOFT, size: 12 }),
    ...grid(most, at(first, 0)[1]),
    ...xs.map((x) => text(at(x, 0)[0], PLOT.bottom + 20, String(x), { anchor: "middle", fill: SOFT })),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 40, xLabel, { anchor: "middle", fill: SOFT, size: 12 }),
    ...series.flatMap((one, index) => drawSeries(one, at, index)),
  ]);
}

/** The next number that a quarter of is a round one, too. */
function roundAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 8, 10].find((candidate) => candidate * power >= value) ?? 10;
  return step * power;
}

function grid(most: number, bottom: number): string[] {
  return Array.from({ length: GRID_LINES + 1 }, (_, index) => {
    const y = bottom - (index / GRID_LINES) * (PLOT.bottom - PLOT.top);
    const value = shortNumber((most * index) / GRID_LINES);
    return [
      line(PLOT.left, y, PLOT.right, y, GRID),
      text(PLOT.left - 8, y + 4, index === 0 ? "0" : value, { anchor: "end", fill: SOFT, size: 11 }),
    ];
  }).flat();
}

function drawSeries(
  { label, color, points }: Series,
  at: (x: number, y: number) => readonly [number, number],
  index: number,
): string[] {
  const places = points.map(({ x, y }) => at(x, y));
  const row = PLOT.top + index * 22;
  return [
    polyline(places, color),
    ...places.map(([x, y]) => circle(x, y, 3.5, color)),
    line(PLOT.right + 16, row, PLOT.right + 36, row, color, 2),
    text(PLOT.right + 42, row + 4, label, { size: 12 }),
  ];
}
