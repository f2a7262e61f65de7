import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { outcomeSchema } from "../../benchmarks/outcome.js";
import { toMarkdown } from "../../benchmarks/report/markdown.js";
import { reading } from "../../benchmarks/report/reading.js";
import { readmeTable } from "../../benchmarks/report/readme-table.js";
import { reportName, saveReport } from "../../benchmarks/report/save-report.js";
import { caseOutcome, outcomeOf, subjectOutcome } from "../support/bench-outcome.js";

const DECODE = caseOutcome(
  "decode-1",
  [
    subjectOutcome("one", { decode: [20, 21, 22] }),
    subjectOutcome("ring-2", { decode: [18, 21, 20] }, { sharesCores: true }),
    subjectOutcome("rpc-2", {}, { unavailable: "ggml-rpc-server is not built." }),
    subjectOutcome("ring-4", {}, { failure: "it broke | and\nended" }),
  ],
  { compared: "decode" },
);

describe("the report of the benchmark", () => {
  test("shows median, spread and the ratio to what the case compares with", () => {
    const markdown = toMarkdown(outcomeOf(DECODE), [], []);
    assert.match(markdown, /\| label of one \| 21\.0 \(20\.0–22\.0\) \| {2}\|/);
    assert.match(markdown, /\| label of ring-2 \| 20\.0 \(18\.0–21\.0\) \*\*×0\.91\*\* \| cores shared \|/);
  });

  test("no other subject takes the place of the one that a case compares with", () => {
    const [, two, , four] = DECODE.subjects;
    assert.ok(two !== undefined && four !== undefined);
    const rings = { ...DECODE, subjects: [two, { ...four, samples: { decode: [10, 10, 10] } }] };
    assert.doesNotMatch(toMarkdown(outcomeOf(rings), [], []), /×\d/);
  });

  test("says of each kind of work whether two nodes or all cores were faster", () => {
    const of = (id: string, figure: string, two: number, all: number) =>
      caseOutcome(id, [
        subjectOutcome("one-all-cores", { [figure]: [all] }),
        subjectOutcome("ring-2", { [figure]: [two] }),
      ]);
    const cases = [
      of("prefill-2048", "prefill", 22, 20),
      of("decode-1", "decode", 10, 20),
      of("decode-4", "decode", 30, 30),
    ];
    const text = reading(outcomeOf(...cases));
    assert.match(text, /prompt of 2048 tokens: 22\.0 against 20\.0 tok\/s, ×1\.10: the two nodes won/);
    assert.match(text, /one stream: 10\.0 against 20\.0 tok\/s, ×0\.50: the one process won/);
    assert.match(text, /four streams together: .*×1\.00: no difference/);
    assert.doesNotMatch(text, /eight/);
    const run = outcomeOf(...cases);
    assert.doesNotMatch(reading({ ...run, settings: { ...run.settings, quick: true } }), /against/);
    assert.doesNotMatch(reading(outcomeOf()), /against/);
  });

  test("names what was left out and what failed, each on its row", () => {
    const markdown = toMarkdown(outcomeOf(DECODE), [], []);
    assert.match(markdown, /\| label of rpc-2 \| {2}\| left out: ggml-rpc-server is not built\. \|/);
    assert.match(markdown, /\| label of ring-4 \| {2}\| failed: it broke \\\| and ended \|/);
  });

  test("a case that did not run says why", () => {
    const skipped = caseOutcome("hops", [], { skipped: "Out of time." });
    assert.match(toMarkdown(outcomeOf(skipped), [], []), /`hops`: Out of time\./);
  });

  test("a quick run and a part of a run have files of their own", () => {
    const outcome = outcomeOf();
    assert.equal(reportName(outcome), "some-model-q4_0");
    assert.equal(reportName({ ...outcome, settings: { ...outcome.settings, quick: true } }), "some-model-q4_0-quick");
    const settings = { ...outcome.settings, partial: true };
    assert.equal(reportName({ ...outcome, settings }), "some-model-q4_0-part");
    assert.equal(reportName({ ...outcome, settings: { ...settings, quick: true } }), "some-model-q4_0-quick-part");
    const named = { ...outcome, model: { ...outcome.model, id: "Tiny Q4_0" } };
    assert.equal(reportName(named), "tiny-q4_0");
  });

  test("is saved as JSON that can be read again, as Markdown, and as the charts that it shows", async () => {
    const directory = await mkdtemp(join(tmpdir(), "exo-native-report-"));
    try {
      const outcome = outcomeOf(DECODE);
      const { markdown } = await saveReport(outcome, directory);
      const files = (await readdir(directory)).sort();
      assert.deepEqual(files, ["some-model-q4_0-decode-1.svg", "some-model-q4_0.json", "some-model-q4_0.md"]);
      assert.deepEqual(
        outcomeSchema.parse(JSON.parse(await readFile(join(directory, "some-model-q4_0.json"), "utf8"))),
        outcome,
      );
      assert.match(markdown, /!\[title of decode-1\]\(some-model-q4_0-decode-1\.svg\)/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("the README's table has the cases and subjects that were measured", () => {
    assert.equal(
      readmeTable(outcomeOf(DECODE)),
      [
        "| some-model Q4_0, tok/s | decode, one stream |",
        "|---|---|",
        "| llama.cpp, one process, one thread | 21.0 |",
        "| ring of two nodes | 20.0 (×0.91) |",
      ].join("\n"),
    );
  });
});
