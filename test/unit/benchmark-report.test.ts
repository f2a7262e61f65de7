import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { outcomeSchema } from "../../benchmarks/outcome.js";
import { toMarkdown } from "../../benchmarks/report/markdown.js";
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
  test("shows median, spread and the ratio to the first row", () => {
    const markdown = toMarkdown(outcomeOf(DECODE), [], []);
    assert.match(markdown, /\| label of one \| 21\.0 \(20\.0–22\.0\) \| {2}\|/);
    assert.match(markdown, /\| label of ring-2 \| 20\.0 \(18\.0–21\.0\) \*\*×0\.91\*\* \| cores shared \|/);
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

  test("a quick run has files of its own", () => {
    const outcome = outcomeOf();
    assert.equal(reportName(outcome), "some-model-q4_0");
    assert.equal(reportName({ ...outcome, settings: { ...outcome.settings, quick: true } }), "some-model-q4_0-quick");
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
