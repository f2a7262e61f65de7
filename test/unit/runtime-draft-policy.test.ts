import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { computePasses } from "../../src/runtime/speculation/compute-passes.js";
import { chooseDraftLengths, type DraftChance } from "../../src/runtime/speculation/draft-lengths.js";
import { HitRates } from "../../src/runtime/speculation/hit-rates.js";
import { LOSSES_OF_REQUEST, LOSSES_OF_RING, LossBudget } from "../../src/runtime/speculation/loss-budget.js";
import { PassTimes } from "../../src/runtime/speculation/pass-times.js";

describe("computePasses", () => {
  const passes = (...rows: (readonly [sequence: number, rows: number])[]): number[] =>
    computePasses(rows.map(([sequence, count]) => ({ sequence, rows: count })));

  test("takes neighbours with equal rows in one pass", () => {
    assert.deepEqual(passes([0, 1]), [1]);
    assert.deepEqual(passes([0, 4], [1, 4], [2, 4]), [12]);
  });

  test("takes what one has more in passes of its own", () => {
    assert.deepEqual(passes([0, 1], [1, 5]), [2, 4]);
    assert.deepEqual(passes([0, 5], [1, 1], [2, 3]), [3, 4, 2]);
  });

  test("a gap between sequences begins another pass", () => {
    assert.deepEqual(passes([0, 2], [2, 2], [3, 2]), [2, 4]);
  });

  test("computes every row once", () => {
    const sequences = fc.uniqueArray(fc.nat(20)).map((ids) => ids.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(sequences, fc.array(fc.nat(9), { minLength: 21, maxLength: 21 }), (ids, counts) => {
        const rows = ids.map((sequence) => ({ sequence, rows: counts[sequence] ?? 0 }));
        const computed = computePasses(rows);
        const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
        assert.equal(sum(computed), sum(rows.map((entry) => entry.rows)));
        assert.ok(computed.every((pass) => pass > 0));
      }),
    );
  });
});

describe("PassTimes", () => {
  test("knows nothing at first", () => {
    assert.equal(new PassTimes().expected(4), null);
  });

  test("takes the median of the last few of a size", () => {
    const times = new PassTimes();
    for (const seconds of [9, 9, 9, 1, 3, 50, 4, 2]) times.record(4, seconds);
    assert.equal(times.expected(4), 3);
  });

  test("draws a line between sizes that it knows", () => {
    const times = new PassTimes();
    times.record(1, 10);
    times.record(11, 30);
    assert.equal(times.expected(6), 20);
    assert.equal(times.expected(22), 45, "beyond them half as steep as from nothing");
  });

  test("never takes more rows to cost less", () => {
    const times = new PassTimes();
    times.record(1, 10);
    times.record(9, 2);
    assert.equal(times.expected(5), 10);
  });

  test("keeps few sizes, the last ones seen", () => {
    const times = new PassTimes();
    times.record(1, 10);
    times.record(1000, 10);
    for (let rows = 100; rows < 300; rows += 1) {
      times.record(1, 10);
      times.record(rows, rows);
    }
    assert.ok(times.knows(1) && times.knows(299));
    assert.ok(!times.knows(1000) && !times.knows(101));
  });

  test("forgets what it has not seen for long", () => {
    const times = new PassTimes();
    times.record(8, 100);
    for (let record = 0; record < 1100; record += 1) times.record(1, 10);
    assert.ok(!times.knows(8));
    assert.equal(times.expected(8), 10 * (1 + 7 / 2));
  });
});

describe("HitRates", () => {
  test("begin as believed and follow what is seen", () => {
    const rates = new HitRates([0.5, 0.9]);
    const request = rates.forRequest();
    assert.equal(request.probability(0), 0.5);
    for (let trial = 0; trial < 60; trial += 1) request.record(0, false);
    assert.ok(request.probability(0) < 0.05);
    assert.equal(request.probability(1), 0.9, "of another kind nothing was seen");
  });

  test("of one request are the beginning of the next, which soon goes its own way", () => {
    const rates = new HitRates([0.5]);
    const first = rates.forRequest();
    for (let trial = 0; trial < 60; trial += 1) first.record(0, true);
    const second = rates.forRequest();
    assert.ok(second.probability(0) > 0.9);
    for (let trial = 0; trial < 12; trial += 1) second.record(0, false);
    assert.ok(second.probability(0) < 0.3);
    assert.ok(first.probability(0) > 0.8);
  });
});

describe("chooseDraftLengths", () => {
  const sure = (sequence: number, probability: number, length = 31): DraftChance => ({
    sequence,
    survival: Array.from({ length }, (_, index) => probability ** (index + 1)),
    mayLose: 1000,
  });
  const limits = { perRequest: 31, inAll: 60, risk: 1000 };
  /** A device that is bound by reading weights: a pass costs 10 and its rows little. */
  const flat = (passes: readonly number[]): number => passes.reduce((sum, rows) => sum + 10 + 0.1 * rows, 0);
  const linear = (passes: readonly number[]): number => passes.reduce((sum, rows) => sum + 10 * rows, 0);

  test("drafts nothing before anything was measured, and nothing without a guess", () => {
    assert.deepEqual(
      chooseDraftLengths([sure(0, 0.9)], () => null, limits),
      [0],
    );
    assert.deepEqual(chooseDraftLengths([{ sequence: 0, survival: [], mayLose: 1000 }], flat, limits), [0]);
  });

  test("drafts the longer the surer the guess", () => {
    const lengths = [0.02, 0.5, 0.8, 0.99].map((probability) =>
      Number(chooseDraftLengths([sure(0, probability)], flat, limits)[0]),
    );
    assert.equal(lengths[0], 0);
    assert.deepEqual(
      lengths,
      lengths.toSorted((a, b) => a - b),
    );
    assert.equal(lengths[3], 31);
  });

  test("drafts nothing where rows cost as much as rounds", () => {
    assert.deepEqual(chooseDraftLengths([sure(0, 0.99)], linear, limits), [0]);
  });

  test("drafts nothing where it takes longer to draft than to compute", () => {
    assert.deepEqual(
      chooseDraftLengths([sure(0, 0.99)], flat, limits, (length) => 12 * length),
      [0],
    );
  });

  test("nobody pays for what is drafted for another", () => {
    const others = Array.from(
      { length: 15 },
      (_, index): DraftChance => ({
        sequence: index + 1,
        survival: [],
        mayLose: 1000,
      }),
    );
    assert.deepEqual(
      chooseDraftLengths([sure(0, 0.99), ...others], flat, limits),
      Array.from({ length: 16 }, () => 0),
    );
    const all = Array.from({ length: 16 }, (_, sequence) => sure(sequence, 0.9));
    assert.deepEqual(
      chooseDraftLengths(all, flat, limits),
      Array.from({ length: 16 }, () => 3),
      "as many as there is room for",
    );
  });

  test("risks no more than it may lose", () => {
    const [length = 0] = chooseDraftLengths([sure(0, 0.99)], flat, { ...limits, risk: 1 });
    assert.ok(length > 0 && length <= 10, `${length} rows more cost ${length / 10}`);
    assert.deepEqual(chooseDraftLengths([sure(0, 0.99)], flat, { ...limits, risk: 0 }), [0]);
  });

  test("risks of a request what it is likely to lose, not what it could", () => {
    const twice = (passes: readonly number[]): number => passes.reduce((sum, rows) => sum + (rows > 1 ? 20 : 10), 0);
    const draft = { ...sure(0, 0.9, 3), mayLose: 1 };
    assert.deepEqual(chooseDraftLengths([draft], twice, limits), [3], "one time in ten a round of 10 more");
    assert.deepEqual(chooseDraftLengths([{ ...sure(0, 0.6, 3), mayLose: 1 }], twice, limits), [0]);
    assert.deepEqual(chooseDraftLengths([{ ...draft, mayLose: 0 }], twice, limits), [0]);
  });

  test("stays within its limits and never chooses what is expected to be slower", () => {
    const chances = fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), {
      minLength: 1,
      maxLength: 6,
    });
    const device = fc.record({ pass: fc.nat(20), row: fc.double({ min: 0.1, max: 10, noNaN: true }) });
    fc.assert(
      fc.property(chances, device, fc.nat(40), fc.nat(20), fc.nat(200), (probabilities, { pass, row }, ...numbers) => {
        const [inAll, perRequest, risk] = numbers;
        const offers = probabilities.map((each, sequence) => {
          let product = 1;
          return { sequence, survival: each.map((probability) => (product *= probability)), mayLose: 1000 };
        });
        const round = (passes: readonly number[]): number => passes.reduce((sum, rows) => sum + pass + row * rows, 0);
        const lengths = chooseDraftLengths(offers, round, { perRequest, inAll, risk });
        assert.equal(lengths.length, offers.length);
        assert.ok(lengths.reduce((sum, length) => sum + length, 0) <= inAll);
        const seconds = (drafted: readonly number[]): number =>
          round(computePasses(offers.map(({ sequence }, index) => ({ sequence, rows: 1 + (drafted[index] ?? 0) }))));
        assert.ok(seconds(lengths) - seconds([]) <= risk);
        for (const [index, length] of lengths.entries()) {
          assert.ok(length <= perRequest && length <= (offers[index]?.survival.length ?? 0));
        }
      }),
    );
  });
});

describe("LossBudget", () => {
  test("lets a little be lost for what was spent, and no more", () => {
    const budget = new LossBudget(LOSSES_OF_RING);
    for (let round = 0; round < 100; round += 1) budget.book(1, 1, 1);
    assert.ok(budget.balance > 1.9 && budget.balance < 2.1, "2 %");
    for (let round = 0; round < 1000; round += 1) budget.book(1, 1, 1);
    assert.equal(budget.balance, 5, "five rounds at most");
    assert.equal(budget.risk(1), 9);
    budget.book(8, 1, 1);
    assert.ok(budget.balance < 0);
    assert.equal(budget.risk(1), 0);
  });

  test("what others won is not lost with one request, and a first failure does not end its drafts", () => {
    const budget = new LossBudget(LOSSES_OF_REQUEST);
    assert.equal(budget.risk(1), 0.5);
    budget.book(1.4, 1, 1);
    assert.ok(budget.risk(1) > 0 && budget.risk(1) < 0.2);
    budget.book(1.4, 1, 1);
    assert.equal(budget.risk(1), 0);
  });

  test("whatever drafts do, they cost 3 % of the time at most, and a few rounds", () => {
    const round = fc.record({
      /** What the round takes with drafts, and the tokens it gives, in rounds without. */
      cost: fc.double({ min: 1, max: 8, noNaN: true }),
      tokens: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(round, { minLength: 200, maxLength: 1500 }), (rounds) => {
        const budget = new LossBudget(LOSSES_OF_RING);
        let taken = 0;
        let plain = 0;
        for (const { cost, tokens } of rounds) {
          const drafted = budget.balance >= 0;
          taken += drafted ? cost : 1;
          plain += drafted ? tokens : 1;
          budget.book(drafted ? cost : 1, drafted ? tokens : 1, 1);
        }
        assert.ok(taken <= 1.03 * plain + 10, `${taken} rather than ${plain}`);
      }),
    );
  });
});
