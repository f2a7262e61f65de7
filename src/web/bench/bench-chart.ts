import { html } from "htm/preact";
import type { BarKind, ChartRow } from "./bench-rows.js";
import { barShare, roundCeiling } from "./chart-scale.js";

const NAMES: Readonly<Record<BarKind, string>> = { now: "this one", before: "before", predicted: "predicted" };

interface BenchChartProps {
  readonly title: string;
  readonly rows: readonly ChartRow[];
  readonly format: (value: number) => string;
}

/** Bars with their numbers beside them, all on one scale from zero; a table to those who do not see it. */
export function BenchChart({ title, rows, format }: BenchChartProps) {
  const ceiling = roundCeiling(Math.max(0, ...rows.flatMap(({ bars }) => bars.map(({ value }) => value))));
  return html`<table class="chart">
    <caption>${title}</caption>
    <tbody>
      ${rows.map(({ label, bars }) =>
        bars.map(
          ({ kind, value }, index) => html`<tr key=${`${label} ${kind}`} class=${index === 0 ? "chart-first" : ""}>
            ${index === 0 ? html`<th scope="row" rowspan=${bars.length}>${label}</th>` : null}
            <td class="chart-kind">${NAMES[kind]}</td>
            <td class="chart-bar" aria-hidden="true">
              <span class=${`bar-${kind}`} style=${{ width: `${barShare(value, ceiling) * 100}%` }}></span>
            </td>
            <td class="chart-value">${format(value)}</td>
          </tr>`,
        ),
      )}
    </tbody>
  </table>`;
}
