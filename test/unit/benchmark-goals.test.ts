import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { subjectId } from "../../benchmarks/cases/bench-case.js";
import { CASES } from "../../benchmarks/cases/catalogue.js";
import { isFigureName } from "../../benchmarks/figures.js";
import {
  commandOf,
  formatBound,
  formatMeasured,
  type Goal,
  judge,
  readGoals,
  tally,
} from "../../benchmarks/report/goals.js";
import { caseOutcome, outcomeOf, subjectOutcome } from "../support/bench-outcome.js";

const RATIO: Goal = {
  id: "faster",
  goal: "two against one",
  value: { case: "decode", subject: "two", figure: "decode" },
  against: { case: "decode", subject: "one", figure: "decode" },
  least: 1.8,
};
const TIME: Goal = { id: "hop", goal: "hop", value: { case: "hops", subject: "two", figure: "hop_p50" }, most: 0.15 };

const MODEL = outcomeOf().model;

const decode = (...two: number[]) =>
  caseOutcome("decode", [subjectOutcome("one", { decode: two.map(() => 10) }), subjectOutcome("two", { decode: two })]);

describe("goals of the benchmark", () => {
  test("a ratio is the median of the rounds' own ratios", () => {
    const [result] = judge(outcomeOf(decode(19, 17, 20)), [RATIO], {});
    assert.equal(result?.met, true);
    assert.ok(result?.measured);
    assert.equal(formatMeasured(RATIO, result.measured), "1.90 (1.70 to 2.00)");
    assert.equal(formatBound(RATIO), "≥ 1.8");
  });

  test("a goal that is missed shows the reason that was written for this quantisation, else the general one", () => {
    const reasons = { faster: { "*": "in general", Q4_0: "for Q4_0" } };
    assert.deepEqual(judge(outcomeOf(decode(15)), [RATIO], reasons)[0]?.reasons, ["for Q4_0"]);
    assert.deepEqual(judge(outcomeOf(decode(15)), [RATIO], { faster: { "*": "in general" } })[0]?.reasons, [
      "in general",
    ]);
    assert.deepEqual(judge(outcomeOf(decode(19)), [RATIO], reasons)[0]?.reasons, []);
  });

  test("what is promised for each answer is judged by the worst round", () => {
    const every = { ...RATIO, every: true };
    assert.equal(judge(outcomeOf(decode(19, 17, 20)), [every], {})[0]?.met, false);
    assert.equal(judge(outcomeOf(decode(19, 18, 20)), [every], {})[0]?.met, true);
    assert.equal(formatBound(every), "≥ 1.8, each round");
  });

  test("an upper bound is met from below", () => {
    const hops = (value: number) => outcomeOf(caseOutcome("hops", [subjectOutcome("two", { hop_p50: [value] })]));
    assert.equal(judge(hops(0.1), [TIME], {})[0]?.met, true);
    assert.equal(judge(hops(0.2), [TIME], {})[0]?.met, false);
    assert.equal(formatBound(TIME), "≤ 0.150 ms");
  });

  test("what was not measured says why", () => {
    const why = (...cases: Parameters<typeof outcomeOf>) => judge(outcomeOf(...cases), [RATIO], {})[0]?.reasons;
    const two = subjectOutcome("two", { decode: [19] });
    assert.deepEqual(why(), ["The case decode was not part of this run."]);
    assert.deepEqual(why(caseOutcome("decode", [], { skipped: "Out of time." })), ["Out of time."]);
    assert.deepEqual(why(caseOutcome("decode", [two])), ["one was not part of this run."]);
    const unbuilt = subjectOutcome("one", {}, { unavailable: "llama-bench is not built." });
    assert.deepEqual(why(caseOutcome("decode", [two, unbuilt])), ["llama-bench is not built."]);
    const failed = subjectOutcome("one", {}, { failure: "it ended" });
    assert.deepEqual(why(caseOutcome("decode", [two, failed])), ["label of one failed: it ended"]);
  });

  test("goals of other quantisations are listed with what they need, and the rest is counted", () => {
    const goals = [RATIO, { ...RATIO, id: "other", quantisation: "IQ2_XXS" }, TIME];
    const results = judge(outcomeOf(decode(19)), goals, {});
    assert.deepEqual(
      results.map(({ goal, measured, met }) => [goal.id, measured !== null, met]),
      [
        ["faster", true, true],
        ["other", false, null],
        ["hop", false, null],
      ],
    );
    assert.match(results[1]?.reasons.join() ?? "", /^Needs a model in IQ2_XXS, by --model;/);
    assert.deepEqual(tally(results), { met: 1, missed: 0 });
  });

  test("a quick run gives figures and no verdicts", () => {
    const outcome = outcomeOf(decode(19));
    const quick = { ...outcome, settings: { ...outcome.settings, quick: true } };
    const [result] = judge(quick, [RATIO], {});
    assert.ok(result?.measured);
    assert.deepEqual([result.met, result.reasons], [null, ["--quick: too few rounds for a verdict."]]);
  });

  test("a goal that supposes a core for each node has no verdict where they share", () => {
    const shared = caseOutcome("hops", [subjectOutcome("two", { hop_p50: [0.1] }, { sharesCores: true })]);
    const [result] = judge(outcomeOf(shared), [{ ...TIME, ownCores: true }], {});
    assert.deepEqual([result?.measured?.median, result?.met], [0.1, null]);
  });

  test("each names what measures it again", () => {
    assert.equal(commandOf(RATIO, MODEL), "npm run bench -- --only decode");
    const other = { case: "prefill", subject: "one", figure: "prefill" };
    assert.equal(commandOf({ ...RATIO, against: other }, MODEL), "npm run bench -- --only decode,prefill");
    const elsewhere = commandOf({ ...RATIO, quantisation: "F16" }, MODEL);
    assert.equal(elsewhere, "npm run bench -- --model <in F16> --only decode");
  });

  test("nodes that share cores are named", () => {
    const shared = caseOutcome("hops", [subjectOutcome("two", { hop_p50: [0.1] }, { sharesCores: true })]);
    assert.deepEqual(judge(outcomeOf(shared), [TIME], {})[0]?.reasons, ["More nodes than cores: they share."]);
  });

  test("goals.json and reasons.json can be read and name what there is", async () => {
    const { goals, reasons } = await readGoals();
    for (const { id, value, against } of goals) {
      for (const place of [value, ...(against === undefined ? [] : [against])]) {
        const one = CASES.find((candidate) => candidate.id === place.case);
        assert.ok(one, `${id}: ${place.case}`);
        assert.ok(one.subjects.map(subjectId).includes(place.subject), `${id}: ${place.subject}`);
        assert.ok(isFigureName(place.figure), `${id}: ${place.figure}`);
      }
    }
    const ids = goals.map(({ id }) => id);
    assert.deepEqual([...new Set(ids)], ids);
    assert.deepEqual(
      Object.keys(reasons).filter((id) => !ids.includes(id)),
      [],
    );
  });
});
