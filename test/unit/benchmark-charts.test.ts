import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drawBarChart } from "../../benchmarks/report/bar-chart.js";
import { drawCharts } from "../../benchmarks/report/charts.js";
import { drawLineChart } from "../../benchmarks/report/line-chart.js";
import { caseOutcome, outcomeOf, subjectOutcome } from "../support/bench-outcome.js";

function numbersOf(svg: string, pattern: RegExp): number[] {
  return [...svg.matchAll(pattern)].map((match) => Number(match[1]));
}

/** Every opened element is closed, in order. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [, closing, name = "", attributes = ""] of svg.matchAll(/<(\/?)([a-z]+)([^>]*)>/g)) {
    if (closing === "/") assert.equal(open.pop(), name);
    else if (!attributes.endsWith("/")) open.push(name);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
}

const spread = (median: number) => ({ median, min: median * 0.9, max: median * 1.1 });

describe("charts of the benchmark", () => {
  test("bars are as long as their numbers are large", () => {
    const bars = [10, 20, 40].map((value) => ({
      label: `b${value}`,
      value: spread(value),
      note: "",
      color: "#123456",
    }));
    const svg = drawBarChart({ title: "t", unit: "u", bars });
    assertWellFormed(svg);
    const [first = 0, second = 0, third = 0] = numbersOf(svg, /<rect [^>]*width="([\d.]+)"[^>]*fill="#123456"/g);
    assert.ok(Math.abs(second / first - 2) < 0.01 && Math.abs(third / first - 4) < 0.01);
  });

  test("what XML gives a meaning is written out", () => {
    const bars = [{ label: 'a < b & "c"', value: spread(1), note: "", color: "#123456" }];
    const svg = drawBarChart({ title: "<t>", unit: "u", bars });
    assertWellFormed(svg);
    assert.match(svg, /a &lt; b &amp; &quot;c&quot;/);
  });

  test("lines go up from zero, each doubling as wide as the last", () => {
    const points = [1, 2, 8].map((x) => ({ x, y: x * 10 }));
    const svg = drawLineChart({
      title: "t",
      xLabel: "x",
      unit: "u",
      series: [{ label: "s", color: "#123456", points }],
    });
    assertWellFormed(svg);
    const [first = 0, second = 0, third = 0] = numbersOf(svg, /<circle cx="([\d.]+)"/g);
    assert.ok(Math.abs(third - first - 3 * (second - first)) < 0.1);
  });

  test("an empty chart, a single point and a zero are drawn too", () => {
    assertWellFormed(drawBarChart({ title: "t", unit: "u", bars: [] }));
    const zero = { median: 0, min: 0, max: 0 };
    assertWellFormed(
      drawBarChart({ title: "t", unit: "u", bars: [{ label: "l", value: zero, note: "", color: "#0" }] }),
    );
    const series = [{ label: "s", color: "#0", points: [{ x: 4, y: 0 }] }];
    assertWellFormed(drawLineChart({ title: "t", xLabel: "x", unit: "u", series }));
  });

  test("a run gets a chart for each case that compares, and one over the number of streams", () => {
    const decode = (streams: number) =>
      caseOutcome(
        `decode-${streams}`,
        [subjectOutcome("one", { decode: [streams] }), subjectOutcome("ring-2", { decode: [2 * streams] })],
        { compared: "decode" },
      );
    const hops = caseOutcome("hops", [subjectOutcome("ring-2", { hop_p50: [1] })]);
    const failed = caseOutcome("prefill-512", [subjectOutcome("one", {}, { failure: "x" })], { compared: "prefill" });
    const charts = drawCharts(outcomeOf(decode(1), decode(4), hops, failed));
    assert.deepEqual(
      charts.map(({ name }) => name),
      ["decode-1", "decode-4", "streams"],
    );
    for (const { svg } of charts) assertWellFormed(svg);
  });
});
