import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HopDelays } from "../../src/runtime/hop-delays.js";
import { wayRound } from "../../src/runtime/way-round.js";
import type { StageTimes } from "../../src/transport/frame.js";

const WRAP = 2 ** 32;

/** A way round: what each stage keeps the micro-batch for and each hop takes, in microseconds; clocks stand anyhow. */
interface Round {
  readonly stages: readonly number[];
  readonly hops: readonly number[];
}

function timesOf(
  { stages, hops }: Round,
  clocks: readonly number[],
  begun: number,
): { stages: StageTimes[]; back: number } {
  let now = begun;
  const told = stages.map((kept, stage): StageTimes => {
    const clock = clocks[stage] ?? 0;
    const arrived = now;
    now += kept;
    const left = now;
    now += hops[stage] ?? 0;
    return {
      computeMicroseconds: kept,
      queueMicroseconds: 0,
      arrivedMicroseconds: (arrived + clock) % WRAP,
      leftMicroseconds: (left + clock) % WRAP,
    };
  });
  return { stages: told, back: (now + (clocks[0] ?? 0)) % WRAP };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const near = (actual: number, expected: number): boolean => Math.abs(actual - expected) < 1e-9;

describe("the time of hops", () => {
  test("adds up exactly to what the head saw, whatever the clocks of the others say", () => {
    const micro = fc.integer({ min: 0, max: 5_000_000 });
    const ring = fc.integer({ min: 2, max: 6 }).chain((count) =>
      fc.record({
        clocks: fc.array(fc.integer({ min: 0, max: WRAP - 1 }), { minLength: count, maxLength: count }),
        rounds: fc.array(
          fc.record({
            stages: fc.array(micro, { minLength: count, maxLength: count }),
            hops: fc.array(micro, { minLength: count, maxLength: count }),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        begun: fc.integer({ min: 0, max: WRAP - 1 }),
      }),
    );
    fc.assert(
      fc.property(ring, ({ clocks, rounds, begun }) => {
        const delays = new HopDelays(clocks.length);
        for (const [index, round] of rounds.entries()) {
          const { stages, back } = timesOf(round, clocks, begun + index * 1000);
          const hops = delays.record(stages, back);
          assert.equal(hops.length, clocks.length);
          assert.ok(near(sum(hops), sum(round.hops) / 1e6), `${sum(hops)} of ${sum(round.hops)}`);
          assert.ok(hops.every((seconds) => seconds >= 0));
        }
      }),
    );
  });

  test("shows which hop was slow", () => {
    const clocks = [5, 4_000_000_000, 77_000_000];
    const delays = new HopDelays(3);
    for (let index = 0; index < 10; index += 1) {
      const { stages, back } = timesOf({ stages: [100, 100, 100], hops: [300, 300, 300] }, clocks, index * 2000);
      delays.record(stages, back);
    }
    const slow = timesOf({ stages: [100, 100, 100], hops: [300, 9300, 300] }, clocks, 50_000);
    const [first = 0, second = 0, third = 0] = delays.record(slow.stages, slow.back);
    assert.ok(near(first, 0.0003) && near(third, 0.0003), `${first} ${third}`);
    assert.ok(near(second, 0.0093), `${second}`);
    assert.deepEqual(delays.latest, [first, second, third]);
  });

  test("never is more than the head waited, whatever a stage says", () => {
    const { stages, back } = timesOf({ stages: [100, 100], hops: [300, 300] }, [0, 0], 0);
    const lies = stages.map((stage, index) => (index === 1 ? { ...stage, leftMicroseconds: 7 } : stage));
    const hops = new HopDelays(2).record(lies, back);
    assert.ok(sum(hops) <= 700 / 1e6 + 1e-9, `${sum(hops)}`);
  });
});

describe("a way round", () => {
  const output = { compute: 0.001, queue: 0, sampling: 0.0002 };

  test("is the stages, the hops between them, and the output head", () => {
    const { stages } = timesOf({ stages: [1000, 2000], hops: [300, 300] }, [0, 0], 1_000_000);
    const way = wayRound({ stages, back: 1003.6, ended: 1005.6, output }, 2, new HopDelays(2));
    assert.deepEqual(
      way?.legs.map(({ seconds }) => seconds.toFixed(6)),
      ["0.001000", "0.002000", "0.002000"],
    );
    assert.ok(near(sum(way?.hops ?? []), 0.0006));
    assert.equal(way?.legs.at(-1)?.sampling, 0.0002);
  });

  test("is not known where a stage told nothing", () => {
    assert.equal(wayRound({ stages: [], back: 2, ended: 3, output }, 2, new HopDelays(2)), null);
  });

  test("counts no more computing than the stage had the micro-batch for", () => {
    const { stages } = timesOf({ stages: [1000, 2000], hops: [300, 300] }, [0, 0], 0);
    const lies = stages.map((stage) => ({ ...stage, computeMicroseconds: 4_000_000_000 }));
    const way = wayRound({ stages: lies, back: 3.6, ended: 5, output }, 2, new HopDelays(2));
    assert.equal(way?.legs[1]?.compute, 0.002);
  });
});
