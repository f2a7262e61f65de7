import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ModelSpeed, PassTime } from "../../src/planning/speeds.js";
import type { ComputedPass } from "../../src/runtime/pass-log.js";
import { bestOf } from "../../src/runtime/probe/best-speed.js";
import { type Correction, corrected, NO_CORRECTION, nextCorrection } from "../../src/runtime/probe/correction.js";
import { observe, type StagePart } from "../../src/runtime/probe/predicted-work.js";

function passes(...list: readonly (readonly [rows: number, seconds: number])[]): PassTime[] {
  return list.map(([rows, seconds]) => ({ rows, seconds }));
}

describe("the correction of a measured speed", () => {
  /** 20 layers of 2 ms, an output head of 4 ms, a pass 0.1 ms. */
  const speed: ModelSpeed = {
    kinds: [{ passes: passes([1, 0.002], [8, 0.006], [128, 0.08]), perCachedToken: 1e-7, perCachedTokenOfMany: 1e-7 }],
    kindOfLayer: new Array<number>(20).fill(0),
    output: passes([1, 0.004]),
    perPass: 0.0001,
  };

  /** What a node really takes. */
  interface Truth {
    readonly few: number;
    readonly many: number;
    readonly output: number;
    readonly perPass: number;
  }

  const front = (end: number): StagePart => ({ layerBegin: 0, layerEnd: end, hasOutput: false });
  const OUTPUT: StagePart = { layerBegin: 20, layerEnd: 20, hasOutput: true };

  function passesOf(truth: Truth, part: StagePart, rows: number): readonly ComputedPass[] {
    const layers = part.layerEnd - part.layerBegin;
    const layer = rows === 1 ? 0.002 * truth.few : 0.08 * truth.many;
    const seconds = layers * layer + (part.hasOutput ? 0.004 * truth.output : 0) + 0.0001 + truth.perPass;
    return Array.from({ length: 40 }, () => ({ rows, outputs: 1, cachedTokens: 0, seconds }));
  }

  /** After so many looks at the stages in turn. */
  function learned(truth: Truth, parts: readonly StagePart[], rounds: number): Correction {
    let correction = NO_CORRECTION;
    for (let round = 0; round < rounds; round += 1) {
      for (const part of parts) {
        for (const rows of part.layerEnd > part.layerBegin ? [1, 128] : [1]) {
          correction = observe(speed, correction, part, passesOf(truth, part, rows)).reduce(nextCorrection, correction);
        }
      }
    }
    return correction;
  }

  /** Part by which a prediction is off. */
  function off(truth: Truth, correction: Correction, part: StagePart, rows = 1): number {
    const [seen] = observe(speed, correction, part, passesOf(truth, part, rows));
    return Math.abs((seen?.predicted ?? 0) / (seen?.measured ?? 1) - 1);
  }

  const SLOW: Truth = { few: 1.3, many: 1.2, output: 1.1, perPass: 0 };

  test("makes predictions of a stage approach what it took, of tokens and of prompts", () => {
    for (const truth of [SLOW, { few: 0.75, many: 0.7, output: 0.9, perPass: 0 }]) {
      const after = learned(truth, [front(20)], 60);
      assert.ok(off(truth, after, front(20)) < 0.01);
      assert.ok(off(truth, after, front(20), 128) < 0.01);
      const halfway = learned(truth, [front(20)], 3);
      assert.ok(off(truth, halfway, front(20)) < off(truth, NO_CORRECTION, front(20)) / 2);
    }
  });

  test("of a node that had a small stage holds for a large one", () => {
    // A node with two threads that sleep between passes: each pass takes 0.4 ms longer, however few layers it has.
    const truth: Truth = { few: 1, many: 1, output: 1, perPass: 0.0004 };
    const after = learned(truth, [front(1), OUTPUT], 200);
    assert.ok(off(truth, after, front(1)) < 0.02);
    assert.ok(off(truth, after, OUTPUT) < 0.02);
    assert.ok(off(truth, after, front(19)) < 0.03, `off by ${off(truth, after, front(19))}`);
    assert.ok(off(truth, after, front(19), 128) < 0.02);
  });

  test("of a node that had stages of all sizes holds for each of them", () => {
    const truth: Truth = { few: 1.15, many: 0.9, output: 1.15, perPass: 0.0004 };
    const parts = [front(1), front(5), front(19), OUTPUT];
    const after = learned(truth, parts, 200);
    for (const part of parts) assert.ok(off(truth, after, part) < 0.03, `${part.layerEnd}: ${off(truth, after, part)}`);
    assert.ok(off(truth, after, front(10)) < 0.03);
  });

  test("of prompts leaves tokens alone, and the other way round", () => {
    const { few, many } = learned({ few: 1, many: 1.5, output: 1, perPass: 0 }, [front(20)], 60);
    assert.ok(Math.abs(few - 1) < 0.02 && Math.abs(many - 1.5) < 0.02, `${few} ${many}`);
  });

  test("of a stage of one layer hardly changes layers, however long it takes and however often", () => {
    const truth: Truth = { few: 1, many: 1, output: 1, perPass: 0.01 };
    const { few, many, perPass } = learned(truth, [front(1)], 1000);
    assert.ok(few <= 1.021 && many <= 1.021 && perPass <= 0.0005, `${few} ${many} ${perPass}`);
  });

  test("is large only after many looks at large stages that agree", () => {
    const truth: Truth = { ...SLOW, few: 2 };
    assert.ok(learned(truth, [front(20)], 17).few <= 1.2);
    assert.ok(learned(truth, [front(20)], 60).few > 1.95);
    // One ring says so and another does not.
    let correction = NO_CORRECTION;
    for (let round = 0; round < 100; round += 1) {
      const now = { ...truth, few: round % 10 === 0 ? 1 : 2 };
      correction = observe(speed, correction, front(20), passesOf(now, front(20), 1)).reduce(
        nextCorrection,
        correction,
      );
    }
    assert.ok(correction.few <= 1.2, `${correction.few}`);
  });

  test("of small stages does not undo what large ones said", () => {
    const after = learned({ ...SLOW, few: 2 }, [front(20)], 60);
    const [seen] = observe(speed, after, front(1), passesOf({ ...SLOW, few: 2 }, front(1), 1));
    assert.ok(seen !== undefined && nextCorrection(after, seen).few > 1.9);
  });

  test("moves a little by one odd observation, and no further than is believed", () => {
    const odd = { measured: 1000, predicted: 0.04, layers: 0.04, output: 0, whole: 0.04, token: 0.044, isFew: true };
    assert.ok(nextCorrection(NO_CORRECTION, odd).few <= 1.2);
    const seen = { predicted: 1, layers: 0.5, output: 0.5, whole: 0.5, token: 1, isFew: false };
    let [up, down] = [NO_CORRECTION, NO_CORRECTION];
    for (let round = 0; round < 200; round += 1) {
      up = nextCorrection(up, { ...seen, measured: 1000 });
      down = nextCorrection(down, { ...seen, measured: 0 });
    }
    assert.deepEqual([up.many, up.output, up.perPass <= 0.0005, up.few], [3, 1.2, true, 1]);
    assert.deepEqual([down.many, down.output, down.perPass, down.few], [0.5, 0.85, 0, 1]);
  });

  test("adds little to each pass of a model that is quick", () => {
    const seen = {
      measured: 1,
      predicted: 0.002,
      layers: 0.001,
      output: 0.001,
      whole: 0.001,
      token: 0.002,
      isFew: true,
    };
    let correction = NO_CORRECTION;
    for (let round = 0; round < 100; round += 1) correction = nextCorrection(correction, seen);
    assert.ok(correction.perPass <= 0.02 * 0.002);
  });

  test("holds for few rows and for many, for the output head and for a pass apart", () => {
    const measured = {
      kinds: [{ passes: passes([1, 1], [8, 2], [128, 10]), perCachedToken: 0.1, perCachedTokenOfMany: 0.1 }],
      kindOfLayer: [0],
      output: passes([1, 1]),
      perPass: 0.5,
    };
    assert.deepEqual(corrected(measured, NO_CORRECTION), measured);
    const twice = corrected(measured, { ...NO_CORRECTION, few: 2, many: 1, output: 1, perPass: 0.25 });
    assert.deepEqual(twice.kinds[0]?.passes, passes([1, 2], [8, 4], [128, 10]));
    assert.deepEqual([twice.perPass, twice.output], [0.75, measured.output]);
    const half = corrected(measured, { ...NO_CORRECTION, few: 1, many: 0.1, output: 3, perPass: 0 });
    assert.deepEqual(half.kinds[0]?.passes, passes([1, 1], [8, 1], [128, 1]));
    assert.deepEqual(half.output, passes([1, 3]));
  });
});

describe("of two disturbed measurements", () => {
  const measured = (one: number, many: number, perPass: number): ModelSpeed => ({
    kinds: [{ passes: passes([1, one], [8, many]), perCachedToken: one / 1000, perCachedTokenOfMany: one / 1000 }],
    kindOfLayer: [0],
    output: passes([1, many]),
    perPass,
  });

  test("the shorter times count", () => {
    assert.deepEqual(bestOf(measured(1, 5, 0.2), measured(2, 4, 0.1)), {
      kinds: [{ passes: passes([1, 1], [8, 4]), perCachedToken: 0.001, perCachedTokenOfMany: 0.001 }],
      kindOfLayer: [0],
      output: passes([1, 4]),
      perPass: 0.1,
    });
  });

  test("sizes that only one has are kept, and times rise with rows", () => {
    const short = {
      ...measured(2, 3, 0),
      kinds: [{ passes: passes([1, 4], [128, 3]), perCachedToken: 1, perCachedTokenOfMany: 1 }],
    };
    const best = bestOf(measured(5, 9, 0), short);
    assert.deepEqual(best.kinds[0]?.passes, passes([1, 3], [8, 3], [128, 3]));
  });

  test("the newer one counts where they are of different parts", () => {
    const other = { ...measured(2, 3, 0), kinds: [] };
    assert.equal(bestOf(measured(1, 1, 1), other), other);
  });
});
