import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Outcome } from "../outcome.js";
import { drawCharts } from "./charts.js";
import { judge, readGoals } from "./goals.js";
import { toMarkdown } from "./markdown.js";

export interface SavedReport {
  readonly markdown: string;
  readonly files: readonly string[];
}

/** Writes `<model>.json` with every sample, `<model>.md` and a chart for each case that compares. */
export async function saveReport(outcome: Outcome, directory: string): Promise<SavedReport> {
  const name = reportName(outcome);
  const charts = drawCharts(outcome).map((chart) => ({ ...chart, file: `${name}-${chart.name}.svg` }));
  const { goals, reasons } = await readGoals();
  const markdown = toMarkdown(outcome, judge(outcome, goals, reasons), charts);
  const contents: readonly (readonly [file: string, text: string])[] = [
    [`${name}.json`, `${JSON.stringify(outcome, null, 2)}\n`],
    [`${name}.md`, markdown],
    ...charts.map(({ file, svg }) => [file, svg] as const),
  ];
  await mkdir(directory, { recursive: true });
  for (const [file, text] of contents) await writeFile(join(directory, file), text);
  return { markdown, files: contents.map(([file]) => join(directory, file)) };
}

/** Of the files, without ending: neither a quick run nor a part of one takes the place of a whole one. */
export function reportName({ model, settings }: Outcome): string {
  const id = model.id.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-");
  const quantisation = model.quantisation.toLowerCase();
  const base = id.includes(quantisation) ? id : `${id}-${quantisation}`;
  return [base, ...(settings.quick ? ["quick"] : []), ...(settings.partial ? ["part"] : [])].join("-");
}
