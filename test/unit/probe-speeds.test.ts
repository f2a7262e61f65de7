import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PassTime } from "../../src/planning/speeds.js";
import { assembleSpeed, type ProbeTimes, rising } from "../../src/runtime/probe/assemble-speed.js";
import { rowCounts, timePass, timeRows, typicalSeconds } from "../../src/runtime/probe/time-passes.js";

function passes(...list: readonly (readonly [rows: number, seconds: number])[]): PassTime[] {
  return list.map(([rows, seconds]) => ({ rows, seconds }));
}

function close(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual} is not ${expected}`);
}

describe("what a pass takes", () => {
  test("is the least of few samples, and what a tenth of many stay below", () => {
    assert.equal(typicalSeconds([5, 2, 9]), 2);
    assert.equal(typicalSeconds([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), 2);
  });

  /** Passes that take so long in turn, with that part of their processor time. */
  function machine(...passes: readonly (readonly [seconds: number, share: number])[]) {
    const counted = { times: 0 };
    const pass = async () => {
      const [seconds = 0, share = 1] = passes[counted.times % passes.length] ?? [];
      counted.times += 1;
      return { seconds, share };
    };
    return { counted, pass };
  }

  test("is timed for longer where other programs are in the way", async () => {
    const { counted, pass } = machine([0.009, 1], [0.009, 1], [0.009, 1], [0.002, 1]);
    assert.equal((await timePass(pass, 1)).seconds, 0.002);
    assert.ok(counted.times > 20 && counted.times <= 40, `${counted.times} times`);
  });

  test("is timed often where it is short, and once where it is long", async () => {
    const short = machine([0.001, 1]);
    await timePass(short.pass, 1);
    assert.equal(short.counted.times, 10);
    const long = machine([1, 1]);
    assert.deepEqual(await timePass(long.pass, 1), { seconds: 1, disturbed: false, waited: 0 });
    assert.equal(long.counted.times, 1);
  });

  test("counts where its threads had their cores, and else the time that they had them", async () => {
    // As steady as can be, and too long but for one: of two threads one waits for the other, which is processor time too.
    const passes = Array.from({ length: 10 }, (_, index) =>
      index === 4 ? ([0.05, 0.97] as const) : ([0.1, 0.7] as const),
    );
    const { counted, pass } = machine(...passes);
    const { seconds, disturbed, waited } = await timePass(pass, 2);
    assert.deepEqual([seconds, disturbed], [0.05, false]);
    assert.ok(counted.times > 2 && waited > 0);
  });

  test("is known to be disturbed where they never had, and is not timed for ever", async () => {
    const { counted, pass } = machine([0.1, 0.5]);
    const { seconds, disturbed, waited } = await timePass(pass, 2);
    assert.deepEqual([seconds, disturbed], [0.05, true]);
    assert.ok(waited > 0 && waited < 1 && counted.times < 10);
    const impatient = machine([0.1, 0.5]);
    assert.equal((await timePass(impatient.pass, 0)).waited, 0);
    assert.equal(impatient.counted.times, 2);
  });

  test("is not judged by processor time where it is short: threads wake up and sleep", async () => {
    assert.equal((await timePass(machine([0.0005, 0.4]).pass, 2)).disturbed, false);
  });

  test("of more and more rows is timed until it would take too long", async () => {
    const times = await timeRows(
      async (rows) => rows * 0.01,
      [1, 2, 4, 8, 32, 128, 512],
      () => 0.5,
    );
    assert.deepEqual(
      times.map(({ rows }) => rows),
      [1, 2, 4, 8, 32],
    );
  });

  test("of as many rows as a pass may have", () => {
    assert.deepEqual(rowCounts(512), [1, 2, 4, 8, 32, 128, 512]);
    assert.deepEqual(rowCounts(8192), [1, 2, 4, 8, 32, 128, 512]);
    assert.deepEqual(rowCounts(100), [1, 2, 4, 8, 32, 100]);
    assert.deepEqual(rowCounts(1), [1]);
  });
});

describe("the parts of passes", () => {
  const one = { kinds: { kindOfLayer: [0, 0, 0, 0], bytes: [100] }, plan: { kinds: [{ layer: 1 }], window: null } };

  test("what every pass costs comes out of one layer and of several", () => {
    // 0.1 ms for the pass, 0.2 ms for a layer
    const times: ProbeTimes = {
      ...one,
      alone: [{ passes: passes([1, 0.0003], [8, 0.0009]), perCachedToken: 0.5, perCachedTokenOfMany: 0.5 }],
      window: { range: { begin: 1, end: 4 }, passes: passes([1, 0.0007]) },
      output: passes([1, 0.0005]),
    };
    const speed = assembleSpeed(times, { outputBytes: 50 });
    close(speed.perPass, 0.0001);
    close(speed.kinds[0]?.passes[0]?.seconds, 0.0002);
    close(speed.kinds[0]?.passes[1]?.seconds, 0.0008);
    close(speed.output[0]?.seconds, 0.0004);
    assert.equal(speed.kinds[0]?.perCachedToken, 0.5);
    assert.deepEqual(speed.kindOfLayer, [0, 0, 0, 0]);
  });

  test("a layer that a cache held counts as it does among others", () => {
    const times: ProbeTimes = {
      ...one,
      alone: [{ passes: passes([1, 2], [512, 100]), perCachedToken: 0, perCachedTokenOfMany: 0 }],
      window: { range: { begin: 1, end: 4 }, passes: passes([1, 9]) },
      output: passes([1, 5]),
    };
    const speed = assembleSpeed(times, { outputBytes: 50 });
    assert.equal(speed.perPass, 0);
    close(speed.kinds[0]?.passes[0]?.seconds, 3);
    close(speed.kinds[0]?.passes[1]?.seconds, 100);
  });

  test("a kind that was timed with few rows only takes as much longer with many as the others do", () => {
    const layer = (...times: [number, number][]) => ({
      passes: passes(...times),
      perCachedToken: 0,
      perCachedTokenOfMany: 0,
    });
    const times: ProbeTimes = {
      kinds: { kindOfLayer: [0, 1], bytes: [100, 100] },
      plan: { kinds: [{ layer: 0 }, { layer: 1 }], window: null },
      alone: [layer([1, 1], [8, 4], [512, 100]), layer([1, 2], [8, 6])],
      window: null,
      output: passes([1, 5]),
    };
    assert.deepEqual(assembleSpeed(times, { outputBytes: 50 }).kinds[1]?.passes, passes([1, 2], [8, 6], [512, 150]));
  });

  test("a layer that was disturbed does not make every pass dear", () => {
    const times: ProbeTimes = {
      ...one,
      alone: [{ passes: passes([1, 0.3], [8, 0.4]), perCachedToken: 0, perCachedTokenOfMany: 0 }],
      window: { range: { begin: 1, end: 4 }, passes: passes([1, 0.006], [8, 0.012]) },
      output: passes([1, 0.005]),
    };
    const speed = assembleSpeed(times, { outputBytes: 50 });
    assert.ok(speed.perPass <= 0.0005);
    assert.ok(Math.abs((speed.kinds[0]?.passes[0]?.seconds ?? 0) - 0.002) < 0.0003);
  });

  test("kinds keep their proportion where they are computed together", () => {
    const times: ProbeTimes = {
      kinds: { kindOfLayer: [0, 0, 1, 0], bytes: [100, 200] },
      plan: { kinds: [{ layer: 1 }, { layer: 2 }], window: null },
      alone: [
        { passes: passes([1, 2]), perCachedToken: 0, perCachedTokenOfMany: 0 },
        { passes: passes([1, 4]), perCachedToken: 0, perCachedTokenOfMany: 0 },
      ],
      window: { range: { begin: 1, end: 4 }, passes: passes([1, 16]) },
      output: passes([1, 5]),
    };
    const speed = assembleSpeed(times, { outputBytes: 50 });
    close(speed.kinds[0]?.passes[0]?.seconds, 4);
    close(speed.kinds[1]?.passes[0]?.seconds, 8);
  });

  test("a kind that was not timed takes by its weights what the likest takes", () => {
    const times: ProbeTimes = {
      kinds: { kindOfLayer: [0, 1], bytes: [100, 150] },
      plan: { kinds: [{ layer: 0 }, { like: 0 }], window: null },
      alone: [{ passes: passes([1, 2]), perCachedToken: 0.25, perCachedTokenOfMany: 0.25 }, null],
      window: null,
      output: null,
    };
    const speed = assembleSpeed(times, { outputBytes: 300 });
    close(speed.kinds[1]?.passes[0]?.seconds, 3);
    assert.equal(speed.kinds[1]?.perCachedToken, 0.25);
    close(speed.output[0]?.seconds, 6);
  });

  test("more rows never take less time, and nothing takes none", () => {
    const list = rising(passes([1, -1], [2, 3], [4, 2], [8, 5]));
    assert.ok((list[0]?.seconds ?? 0) > 0);
    assert.deepEqual(list.slice(1), passes([2, 2], [4, 2], [8, 5]));
  });
});
