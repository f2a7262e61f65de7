import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { OptionError, parseOptions } from "../../benchmarks/simulate/options.js";
import { sweepMarkdown, sweepTable } from "../../benchmarks/simulate/report.js";
import { measured, type Results, readResults } from "../../benchmarks/simulate/results-file.js";
import { simulate } from "../../benchmarks/simulate/scenario.js";
import { validate, validationTable } from "../../benchmarks/simulate/validate.js";
import { packageRoot } from "../../src/core/package.js";

type Samples = Readonly<Record<string, readonly number[]>>;

/** Results of a machine of two cores; `others`: what larger rings did. */
function results(
  others: readonly (readonly [caseId: string, subject: string, samples: Samples])[],
  loadAverage = 0.1,
): Results {
  const one: typeof others = [
    ["prefill-512", "ring-1", { prefill: [114] }],
    ["prefill-2048", "ring-1", { prefill: [97] }],
    ["decode-1", "ring-1", { decode: [20.6, 20.4, 21] }],
    ["decode-4", "ring-1", { decode: [20] }],
    ["decode-8", "ring-1", { decode: [32] }],
  ];
  const cases = [...one, ...others].map(([id, subject, samples]) => ({
    id,
    subjects: [
      {
        subject,
        samples: Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, [...list]])),
        settings: {},
      },
    ],
  }));
  const ids = [...new Set(cases.map(({ id }) => id))];
  return {
    version: 1,
    machine: { processor: "a processor", cores: 2, loadAverage },
    model: { id: "tinyllama", quantisation: "IQ2_XXS" },
    cases: ids.map((id) => ({
      id,
      subjects: cases.filter((one) => one.id === id).flatMap(({ subjects }) => subjects),
    })),
  };
}

describe("prediction of measured rings from one node", () => {
  test("covers rings and RPC servers, with delays, and leaves out what is run otherwise", async () => {
    const { rows } = await validate(
      results([
        ["decode-1", "one", { decode: [20.7] }],
        ["decode-1", "ring-2", { decode: [20] }],
        ["decode-1", "ring-4", { decode: [17] }],
        ["decode-1", "ring-2-shared", { decode: [30] }],
        ["delay-8", "ring-2-10ms", { decode: [36] }],
        ["delay-1", "rpc-4-10ms", { decode: [7] }],
        ["slow-link", "ring-2-0.5ms-100Mbit", { prefill: [150] }],
        ["speculation-other", "ring-2-speculating", { decode: [25] }],
      ]),
    );
    assert.deepEqual(
      rows.map((row) => `${row.case} ${row.subject}`),
      [
        "decode-1 ring-2",
        "decode-1 ring-4",
        "delay-8 ring-2-10ms",
        "delay-1 rpc-4-10ms",
        "slow-link ring-2-0.5ms-100Mbit",
      ],
    );
    for (const row of rows) {
      assert.ok(Number.isFinite(row.predicted) && row.predicted > 0, row.case);
      assert.ok(Math.abs(row.error - (row.predicted / row.measured - 1)) < 1e-12);
    }
    const [two, , eight] = rows;
    assert.ok(two !== undefined && two.predicted > 19 && two.predicted < 20.6, "close to one node, and below it");
    assert.ok(eight !== undefined && eight.predicted > two.predicted);
  });

  test("never looks at what it predicts", async () => {
    const predicted = async (speed: number): Promise<readonly number[]> => {
      const { rows } = await validate(
        results([
          ["decode-1", "ring-2", { decode: [speed] }],
          ["prefill-512", "ring-2", { prefill: [10 * speed] }],
        ]),
      );
      return rows.map((row) => row.predicted);
    };
    assert.deepEqual(await predicted(20), await predicted(1));
  });

  test("takes RPC servers as they were run: prompts of streams included, passes of the size that was noted", async () => {
    const predicted = async (caseId: string, subject: string, samples: Samples, settings = {}): Promise<number> => {
      const run = results([[caseId, subject, samples]]);
      for (const one of run.cases) for (const ran of one.subjects) ran.settings = settings;
      return (await validate(run)).rows[0]?.predicted ?? Number.NaN;
    };
    const prefill = (ubatch?: string) =>
      predicted(
        "prefill-512",
        "rpc-2",
        { prefill: [1] },
        ubatch === undefined ? {} : { "ubatch for 512 tokens": ubatch },
      );
    assert.equal(await prefill(), await prefill("512"));
    assert.ok((await prefill("128")) > 1.3 * (await prefill("512")), "four passes overlap where one does not");
    const [two, delayed] = [
      await predicted("decode-2", "rpc-2", { decode: [1] }),
      await predicted("delay-2", "rpc-2", { decode: [1] }),
    ];
    assert.equal(two, delayed);
    const one = await predicted("decode-1", "rpc-2", { decode: [1] });
    assert.ok(two < 2 * one, "the time for the prompts is in it");
  });

  test("takes the measured time of a hop", async () => {
    const predicted = async (hop: number): Promise<number> => {
      const { rows } = await validate(
        results([
          ["decode-1", "ring-2", { decode: [20] }],
          ["hops", "ring-2", { hop_p50: [hop] }],
        ]),
      );
      return 1 / (rows[0]?.predicted ?? Number.NaN);
    };
    const difference = (await predicted(5)) - (await predicted(1));
    assert.ok(Math.abs(difference - 0.008) < 1e-9, `two hops of 4 ms more: ${difference}`);
  });

  test("is told in a table with its errors", async () => {
    const others = [["decode-1", "ring-2", { decode: [10] }]] as const;
    const text = validationTable(await validate(results(others)));
    assert.match(text, /\| decode-1 \| ring-2 \| 10\.0 \| 20\.\d \| \+10\d\.\d % \|/);
    assert.match(text, /Rings: 1 rows, mean error 10\d\.\d %/);
    assert.doesNotMatch(text, /busy/);
    assert.match(validationTable(await validate(results(others, 5))), /The machine was busy/);
  });

  test("needs one node's results, of a known model, in a file of the right shape", async (context) => {
    const none = { ...results([]), cases: [] };
    const ring = [{ id: "decode-1", subjects: [{ subject: "ring-2", samples: { decode: [20] }, settings: {} }] }];
    await assert.rejects(validate({ ...none, cases: ring }), /hold no prefill-512 or no decode of ring-1/);
    const strange = { ...results([]), model: { id: "gpt-9", quantisation: "Q1" } };
    await assert.rejects(validate(strange), /The shape of gpt-9 is not known/);
    const directory = await mkdtemp(join(tmpdir(), "exo-simulate-"));
    context.after(() => rm(directory, { recursive: true }));
    const file = join(directory, "results.json");
    await assert.rejects(readResults(file), /cannot be read as JSON/);
    await writeFile(file, '{"version": 0}');
    await assert.rejects(readResults(file), /is not a results file .* \(at version\)/);
    await writeFile(file, JSON.stringify(results([])));
    const read = await readResults(file);
    assert.equal(measured(read, "decode-1", "ring-1", "decode"), 20.6, "the median");
    assert.equal(measured(read, "decode-1", "ring-9", "decode"), null);
  });
});

describe("a sweep", () => {
  const { model, devices, links } = parseOptions([]);
  const settings = { promptTokens: 256, answerTokens: 8, ubatch: 128, shortPrompt: 4 };

  test("of the largest ring ends, and says what does not fit", async () => {
    const [device] = parseOptions(["--device", "rtx-3080"]).devices;
    const [link] = links;
    assert.ok(device !== undefined && link !== undefined);
    const run = (nodes: number) => {
      return simulate({ model, devices: new Array(nodes).fill(device), link, streams: [2], settings });
    };
    const [two, many] = [await run(2), await run(64)];
    assert.equal(two.fits, false);
    assert.equal(many.fits, true);
    assert.equal(many.layers.length, 64);
    assert.ok(many.prefill.tokensPerSecond > 0 && many.lockStep.prefill > 0);
  });

  test("is a table, or Markdown with a chart", async () => {
    const [link] = links;
    assert.ok(link !== undefined);
    const result = await simulate({ model, devices, link, streams: [2], settings });
    const sweep = {
      model: model.label,
      devices: "a machine",
      promptTokens: 256,
      answerTokens: 8,
      ubatch: 128,
      rows: [{ nodes: 1, link: "-", result }],
    };
    assert.match(sweepTable(sweep), /nodes +link +first token/);
    const markdown = sweepMarkdown(sweep);
    assert.match(markdown, /```mermaid\nxychart-beta/);
    const cells = markdown.split("\n").filter((line) => line.startsWith("|"));
    assert.equal(new Set(cells.map((line) => line.split("|").length)).size, 1, "all rows have the same cells");
  });
});

describe("the command", () => {
  const MAIN = join(packageRoot(), "dist", "benchmarks", "simulate", "main.js");
  const run = (...args: readonly string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });

  test("prints one JSON document, and help", () => {
    const small = ["--model", "tinyllama", "--nodes", "1,3", "--prompt", "300", "--generate", "8", "--streams", "3"];
    const { status, stdout } = run("--json", ...small, "--link", "wifi,gigabit");
    assert.equal(status, 0);
    const { rows } = JSON.parse(stdout);
    assert.deepEqual(
      rows.map(({ nodes, link }: { nodes: number; link: string }) => [nodes, link]),
      [
        [1, "-"],
        [3, "wifi"],
        [3, "gigabit"],
      ],
    );
    for (const { result } of rows) assert.ok(result.decode.tokensPerSecond > 0);
    assert.match(run("--help").stdout, /deepseek-r1-671b[\s\S]*thunderbolt/);
  });

  test("refuses what it does not know with a sentence and exit code 2", () => {
    const { status, stdout, stderr } = run("--device", "abacus");
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, /^error: Expected one of m4, .* for --device, received "abacus"\.\n$/);
    const many = run("--model", "tinyllama", "--nodes", "32");
    assert.equal(many.status, 2);
    assert.match(many.stderr, /^error: .*22 layers, which is too few for 32 nodes\.\n$/);
  });
});

describe("options", () => {
  test("are checked", () => {
    for (const args of [
      ["--model", "gpt-9"],
      ["--device", "abacus"],
      ["--link", "pigeon"],
      ["--nodes", "0"],
      ["--nodes", "65"],
      ["--streams", "two"],
      ["--prompt", ""],
      ["--json", "--markdown"],
      ["--nonesuch"],
    ]) {
      assert.throws(() => parseOptions(args), OptionError, args.join(" "));
    }
  });

  test("several devices are as many nodes", () => {
    assert.deepEqual(parseOptions(["--device", "m3-ultra,rtx-3090", "--nodes", "1,2,4"]).nodes, [2]);
  });
});
