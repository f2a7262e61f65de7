import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { passCosts } from "../../src/planning/pass-time.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import { corrected, NO_CORRECTION, nextCorrection } from "../../src/runtime/probe/correction.js";
import { observe } from "../../src/runtime/probe/predicted-work.js";

/** What a stage was seen to take: parts of its time too long or too short, and seconds that every pass takes besides. */
interface Look {
  readonly begin: number;
  readonly end: number;
  readonly noise: number;
}

const LAYERS = 22;

function speedOf(layer: number, output: number): ModelSpeed {
  return {
    kinds: [{ passes: [{ rows: 1, seconds: layer }], perCachedToken: 0, perCachedTokenOfMany: 0 }],
    kindOfLayer: new Array<number>(LAYERS).fill(0),
    output: [{ rows: 1, seconds: output }],
    perPass: 0.0001,
  };
}

const look: fc.Arbitrary<Look> = fc
  .record({
    begin: fc.integer({ min: 0, max: LAYERS - 1 }),
    length: fc.integer({ min: 1, max: LAYERS }),
    noise: fc.double({ min: -0.2, max: 0.2, noNaN: true }),
  })
  .map(({ begin, length, noise }) => ({ begin, end: Math.min(LAYERS, begin + length), noise }));

/** A token through two stages, the output head with the first. */
function lap(speed: ModelSpeed): number {
  const { upTo, fixed, output } = passCosts(speed, 1, 0, 1);
  return (upTo[LAYERS] ?? 0) + output + 2 * fixed;
}

function learnedFrom(speed: ModelSpeed, looks: readonly Look[], extra: number): ModelSpeed {
  let correction = NO_CORRECTION;
  for (const { begin, end, noise } of looks) {
    const part = { layerBegin: begin, layerEnd: end, hasOutput: false };
    const { upTo, fixed } = passCosts(speed, 1, 0, 1);
    const seconds = ((upTo[end] ?? 0) - (upTo[begin] ?? 0) + fixed) * (1 + noise) + extra;
    const passes = new Array(100).fill({ rows: 1, outputs: 1, cachedTokens: 0, seconds });
    correction = observe(speed, correction, part, passes).reduce(nextCorrection, correction);
  }
  return corrected(speed, correction);
}

describe("what rings showed of stages", () => {
  test("keeps the prediction of any other cut near the truth, whatever their sizes and whatever disturbed them", () => {
    const perLayer = fc.double({ min: 0.001, max: 0.02, noNaN: true });
    const extras = fc.double({ min: 0, max: 0.001, noNaN: true });
    // The same looks again and again, as of a ring that stays for hours.
    const looks = fc.array(look, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        perLayer,
        fc.double({ min: 0, max: 0.02, noNaN: true }),
        extras,
        looks,
        (layer, output, extra, seen) => {
          const speed = speedOf(layer, output);
          const predicted = lap(learnedFrom(speed, Array.from({ length: 30 }, () => seen).flat(), extra));
          for (const truth of [lap(speed), lap(speed) + 2 * extra]) {
            assert.ok(Math.abs(predicted / truth - 1) <= 0.25, `${predicted} predicted, ${truth} taken`);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
