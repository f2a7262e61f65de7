import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ringSize } from "../../benchmarks/bench.js";
import { subjectId } from "../../benchmarks/cases/bench-case.js";
import { CASES, contextOf, quickCases, slotsOf } from "../../benchmarks/cases/catalogue.js";
import { isFigureName } from "../../benchmarks/figures.js";
import { type BenchOptions, HELP, parseRequest, UsageError } from "../../benchmarks/options.js";

function options(...args: string[]): BenchOptions {
  const request = parseRequest(args);
  assert.equal(request.kind, "run");
  return request.kind === "run" ? request.options : assert.fail();
}

const idsOf = ({ cases }: BenchOptions): string[] => cases.map(({ id }) => id);
const subjectsOf = ({ cases }: BenchOptions): string[] => [
  ...new Set(cases.flatMap(({ subjects }) => subjects.map(subjectId))),
];

describe("options of the benchmark", () => {
  test("without any: every case, five rounds, the demo model", () => {
    const { model, repeats, quick, buildPeers } = options();
    assert.deepEqual(
      { model, repeats, quick, buildPeers },
      { model: "tinyllama", repeats: 5, quick: false, buildPeers: true },
    );
    assert.deepEqual(
      idsOf(options()),
      CASES.map(({ id }) => id),
    );
  });

  test("--only takes ids, and words that ids begin with", () => {
    assert.deepEqual(idsOf(options("--only", "decode")), ["decode-1", "decode-2", "decode-4", "decode-8"]);
    assert.deepEqual(idsOf(options("--only", "hops, weights")), ["hops", "weights"]);
    assert.throws(() => parseRequest(["--only", "decod"]), UsageError);
  });

  test("--quick takes fewer and smaller cases, but those that are asked for by name whatever they are", () => {
    assert.deepEqual(
      idsOf(options("--quick")),
      quickCases(CASES).map(({ id }) => id),
    );
    assert.deepEqual(idsOf(options("--quick", "--only", "pipeline")), ["pipeline"]);
    assert.equal(options("--quick").repeats, 1);
    assert.deepEqual(
      [options("--quick").timed, options("--quick", "--only", "hops").timed, options().timed],
      [true, false, false],
    );
    assert.equal(options("--quick", "--repeats", "3").repeats, 3);
  });

  test("--subjects, --peers-only and --no-peers choose who is measured", () => {
    assert.deepEqual(subjectsOf(options("--subjects", "one,ring-2")), ["one", "ring-2"]);
    assert.ok(subjectsOf(options("--peers-only")).every((id) => !id.startsWith("ring")));
    assert.ok(subjectsOf(options("--no-peers")).every((id) => id.startsWith("ring")));
    assert.throws(() => parseRequest(["--peers-only", "--no-peers"]), UsageError);
    assert.throws(() => parseRequest(["--subjects", "two"]), /There is no subject two; there are one,/);
    assert.throws(() => parseRequest(["--only", "hops", "--peers-only"]), /nothing to measure/);
  });

  test("what leaves cases or subjects out makes a part of a run", () => {
    const parts = [["--only", "hops"], ["--subjects", "one"], ["--peers-only"], ["--no-peers"]];
    assert.ok(parts.every((args) => options(...args).partial));
    assert.ok(!options().partial && !options("--quick", "--repeats", "2").partial);
  });

  test("numbers that are none are refused", () => {
    for (const text of ["0", "-1", "1.5", "many", ""]) {
      assert.throws(() => parseRequest([`--repeats=${text}`]), UsageError, text);
    }
    assert.throws(() => parseRequest(["--rounds", "3"]), UsageError);
  });

  test("--help and --list print, and the help names every option", () => {
    const help = parseRequest(["--help"]);
    assert.deepEqual(help, { kind: "print", text: HELP });
    for (const flag of [
      "model",
      "only",
      "subjects",
      "repeats",
      "quick",
      "peers-only",
      "no-peers",
      "no-build",
      "out",
      "list",
    ]) {
      assert.match(HELP, new RegExp(`^ {2}--${flag}\\b`, "m"));
    }
    const list = parseRequest(["--list"]);
    assert.ok(list.kind === "print" && CASES.every(({ id }) => list.text.includes(id)));
  });
});

describe("the size of the rings", () => {
  const LARGE = 8192;

  test("is the same for a case that is repeated alone", () => {
    assert.deepEqual(ringSize(options("--only", "decode-1").cases, false, LARGE), ringSize(CASES, false, LARGE));
    const quick = options("--quick").cases;
    assert.deepEqual(
      ringSize(options("--quick", "--only", "decode-1").cases, true, LARGE),
      ringSize(quick, true, LARGE),
    );
  });

  test("has room for every chosen case, and otherwise no more than the model was trained for", () => {
    for (const one of CASES) {
      const { contextSize, slots } = ringSize([one], true, 512);
      assert.ok(contextSize >= contextOf(one) && slots >= slotsOf(one), one.id);
    }
    assert.equal(ringSize(options("--only", "decode-1").cases, false, 512).contextSize, 512);
  });
});

describe("the catalogue of cases", () => {
  test("has one case for each id, with subjects that differ", () => {
    const ids = CASES.map(({ id }) => id);
    assert.deepEqual([...new Set(ids)], ids);
    for (const { id, subjects } of CASES) {
      assert.equal(new Set(subjects.map(subjectId)).size, subjects.length, id);
    }
  });

  test("compares figures that exist, and needs a context and a slot", () => {
    for (const one of CASES) {
      assert.ok(one.compared === undefined || isFigureName(one.compared));
      assert.ok(contextOf(one) > 0 && slotsOf(one) > 0);
    }
  });
});
