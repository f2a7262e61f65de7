import type { Spread } from "../../src/core/statistics.js";
import { line, rect, shortNumber, svg, text } from "./svg.js";

export interface Bar {
  readonly label: string;
  readonly value: Spread;
  /** Behind the number, e.g. a ratio. */
  readonly note: string;
  readonly color: string;
}

export interface BarChart {
  readonly title: string;
  /** Of the numbers, e.g. `tok/s`, and which way is good. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const LABELS = 270;
const NUMBERS = 130;
const TOP = 56;
const ROW = 28;
const BAR = 16;
const WHISKER = "#57606a";

/** Horizontal bars of medians, with whiskers from the lowest to the highest sample. */
export function drawBarChart({ title, unit, bars }: BarChart): string {
  const most = Math.max(0, ...bars.map(({ value }) => value.max)) || 1;
  const scale = (WIDTH - LABELS - NUMBERS) / most;
  const rows = bars.flatMap((bar, index) => drawBar(bar, TOP + index * ROW, scale));
  const heading = [text(16, 24, title, { size: 15, bold: true }), text(16, 43, unit, { fill: WHISKER, size: 12 })];
  return svg(WIDTH, TOP + bars.length * ROW + 12, title, [...heading, ...rows]);
}

function drawBar({ label, value, note, color }: Bar, y: number, scale: number): string[] {
  const middle = y + ROW / 2;
  const end = LABELS + value.median * scale;
  const [low, high] = [LABELS + value.min * scale, LABELS + value.max * scale];
  const whisker =
    value.min === value.max
      ? []
      : [
          line(low, middle, high, middle, WHISKER),
          line(low, middle - 4, low, middle + 4, WHISKER),
          line(high, middle - 4, high, middle + 4, WHISKER),
        ];
  return [
    text(LABELS - 10, middle + 4, label, { anchor: "end" }),
    rect(LABELS, middle - BAR / 2, Math.max(1, end - LABELS), BAR, color),
    ...whisker,
    text(Math.max(end, high) + 8, middle + 4, `${shortNumber(value.median)}  ${note}`.trimEnd()),
  ];
}
