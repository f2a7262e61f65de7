import { spreadOf } from "../../src/core/statistics.js";
import { FIGURES, isFigureName } from "../figures.js";
import { type CaseOutcome, type Outcome, referenceOf, type SubjectOutcome } from "../outcome.js";
import { ratioOf } from "../ratio.js";
import { type Bar, drawBarChart } from "./bar-chart.js";
import { drawLineChart, type Series } from "./line-chart.js";

export interface Chart {
  /** Part of the file's name. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** Whose bars and lines have which colour: ours, peers, and what is no peer but the upper limit. */
const COLORS: readonly (readonly [start: string, color: string])[] = [
  ["ring-1", "#8250df"],
  ["ring-2", "#0969da"],
  ["ring-3", "#1b7c83"],
  ["ring-4", "#1a7f37"],
  ["rpc-2", "#cf222e"],
  ["rpc-4", "#a40e26"],
  ["node-llama-cpp", "#bf8700"],
  ["one-all-cores", "#afb8c1"],
  ["one", "#57606a"],
];
const OTHER_COLOR = "#6e7781";

const DECODE_CASE = /^decode-(\d+)$/;

/** A bar chart of each case that compares, and decode over the number of streams where several were measured. */
export function drawCharts(outcome: Outcome): readonly Chart[] {
  return [...outcome.cases.flatMap(caseChart), ...streamsChart(outcome)];
}

function caseChart(one: CaseOutcome): Chart[] {
  const { compared, id, title } = one;
  if (compared === null || !isFigureName(compared)) return [];
  const bars = barsOf(one, compared);
  if (bars.length === 0) return [];
  const { unit, better } = FIGURES[compared];
  return [{ name: id, title, svg: drawBarChart({ title, unit: `${unit}, ${better} is better`, bars }) }];
}

function barsOf(one: CaseOutcome, figure: string): Bar[] {
  return one.subjects.flatMap((subject) => {
    const samples = subject.samples[figure] ?? [];
    if (samples.length === 0) return [];
    const reference = referenceOf(one, subject, figure);
    const note = reference.length === 0 ? "" : `×${ratioOf(samples, reference).median.toFixed(2)}`;
    return [{ label: subject.label, value: spreadOf(samples), note, color: colorOf(subject) }];
  });
}

function streamsChart({ cases }: Outcome): Chart[] {
  const measured = cases.flatMap((one) => {
    const streams = DECODE_CASE.exec(one.id)?.[1];
    return streams === undefined ? [] : [{ streams: Number(streams), subjects: one.subjects }];
  });
  const all = measured.flatMap(({ subjects }) => subjects);
  const series = [...new Map(all.map((subject) => [subject.subject, subject])).values()]
    .map((subject): Series => {
      const points = measured.flatMap(({ streams, subjects }) => {
        const samples = subjects.find((one) => one.subject === subject.subject)?.samples.decode ?? [];
        return samples.length === 0 ? [] : [{ x: streams, y: spreadOf(samples).median }];
      });
      return { label: subject.label, color: colorOf(subject), points: points.sort((a, b) => a.x - b.x) };
    })
    .filter(({ points }) => points.length > 1);
  if (series.length === 0) return [];
  const title = "Decode of all streams together";
  return [{ name: "streams", title, svg: drawLineChart({ title, xLabel: "streams", unit: "tok/s", series }) }];
}

function colorOf({ subject }: SubjectOutcome): string {
  return COLORS.find(([start]) => subject.startsWith(start))?.[1] ?? OTHER_COLOR;
}
