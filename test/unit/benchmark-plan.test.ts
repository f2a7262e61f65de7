import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { placements } from "../../benchmarks/plan/placements.js";
import { type Compared, checkedRow, toMarkdown, triedRow, verdict } from "../../benchmarks/plan/report.js";

const node = (name: string, threads: number) => ({ name, threads });

describe("the placements that are compared", () => {
  test("are all orders of two nodes with cuts at regular distances", () => {
    assert.deepEqual(placements([node("a", 2), node("b", 1)], 10, 4), [
      "0-4@a,4-10@b",
      "0-8@a,8-10@b",
      "0-4@b,4-10@a",
      "0-8@b,8-10@a",
    ]);
  });

  test("are one order where nodes are alike, and every choice of cuts", () => {
    assert.deepEqual(placements([node("a", 1), node("b", 1)], 6, 3), ["0-3@a,3-6@b"]);
    const three = placements([node("a", 2), node("b", 1), node("c", 1)], 22, 5);
    assert.equal(three.length, 3 * 6);
    assert.equal(new Set(three).size, three.length);
    assert.ok(three.includes("0-5@b,5-15@a,15-22@c"));
  });
});

describe("the results of planning", () => {
  const planned = {
    layers: "0-4@a,4-6@b",
    isPlanned: true,
    predicted: 10,
    predictedLater: 9,
    measured: 9.5,
    failure: null,
  };
  const better = { ...planned, layers: "0-5@a,5-6@b", isPlanned: false, measured: 10 };
  const failed = { ...better, measured: null, failure: "it broke" };
  const compared: Compared = { title: "two nodes", step: 3, tried: [planned, better, failed] };

  test("say how near the planner came to the best, and what is not known", () => {
    assert.equal(
      verdict(compared),
      "two nodes: 2 placements were measured, cut after every 3 layers. 1 more could not be measured. " +
        "The planner's choice decodes at 95.0 % of the best of them (9.5 of 10.0 tok/s).",
    );
    assert.match(
      verdict({ ...compared, tried: [{ ...planned, measured: null }, better] }),
      /The planner's choice was not\./,
    );
  });

  test("show what was predicted and measured, and a failure in its row", () => {
    assert.equal(triedRow(planned), "| 0-4@a,4-6@b (planned) | 10.0 / 9.5 (+5 %) | 9.0 / 9.5 (-5 %) |\n");
    assert.equal(triedRow(failed), "| 0-5@a,5-6@b | it broke |  |\n");
    const plan = { layers: "0-6@a", ttftSeconds: 2, decodeTokensPerSecond: 10 };
    const seen = { ttftSeconds: 2.5, decodeTokensPerSecond: 8 };
    assert.equal(
      checkedRow({ title: "one", plan, seen, failure: null }),
      "| one | 0-6@a | 10.0 / 8.0 (+25 %) | 2.00 / 2.50 (-20 %) |\n",
    );
    assert.match(checkedRow({ title: "one", plan: null, seen: null, failure: "no node" }), /no node/);
    const text = toMarkdown({ model: "m", rounds: 3 }, [], [compared]);
    assert.match(text, /best of 3 rounds/);
    assert.ok(text.includes(verdict(compared)));
  });
});
