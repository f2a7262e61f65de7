import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRows } from "../../src/native/micro-batch.js";
import type { ModelSpeed } from "../../src/planning/speeds.js";
import { type ComputedPass, PassLog, passesSince } from "../../src/runtime/pass-log.js";
import { NO_CORRECTION } from "../../src/runtime/probe/correction.js";
import { observe, type StagePart } from "../../src/runtime/probe/predicted-work.js";

/** Rows of one sequence from a position on; the last one's output is wanted. */
function rows(count: number, position = 0, sequence = 0): Uint8Array {
  const list = Array.from({ length: count }, (_, index) => ({
    sequence,
    position: position + index,
    token: 1,
    output: index === count - 1,
  }));
  return encodeRows(list);
}

function close(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual} is not ${expected}`);
}

describe("the micro-batches that a stage computed", () => {
  test("are kept with rows, outputs, time and what lay in the cache before", () => {
    const log = new PassLog();
    log.add(rows(1, 100), 0.5);
    log.add(rows(64, 1000), 2);
    assert.deepEqual(log.snapshot(), {
      count: 2,
      lately: [
        { rows: 1, outputs: 1, cachedTokens: 100, seconds: 0.5 },
        { rows: 64, outputs: 1, cachedTokens: 64_000, seconds: 2 },
      ],
    });
  });

  test("count each sequence's own tokens", () => {
    const log = new PassLog();
    log.add(Buffer.concat([rows(2, 10, 0), rows(3, 100, 1)]), 1);
    const [one] = log.snapshot().lately;
    assert.deepEqual([one?.outputs, one?.cachedTokens], [2, 2 * 10 + 3 * 100]);
  });

  test("leave out what has no rows, and take damaged positions for 0", () => {
    const log = new PassLog();
    log.add(rows(0), 1);
    log.add(rows(1, -5), 1);
    assert.deepEqual(log.snapshot(), { count: 1, lately: [{ rows: 1, outputs: 1, cachedTokens: 0, seconds: 1 }] });
  });

  test("are told between two looks, as far as they are kept", () => {
    const log = new PassLog();
    log.add(rows(1), 1);
    const before = log.snapshot();
    assert.deepEqual(passesSince(log.snapshot(), before), []);
    log.add(rows(1, 7), 2);
    assert.deepEqual(passesSince(log.snapshot(), before), [{ rows: 1, outputs: 1, cachedTokens: 7, seconds: 2 }]);
    assert.equal(passesSince(log.snapshot(), null).length, 2);
    for (let pass = 0; pass < 2000; pass += 1) log.add(rows(1), pass);
    const kept = passesSince(log.snapshot(), before);
    assert.ok(kept.length >= 256 && kept.length < 2000, `${kept.length} are kept`);
    assert.deepEqual(
      kept.map(({ seconds }) => seconds),
      Array.from({ length: kept.length }, (_, index) => 2000 - kept.length + index),
    );
  });
});

const SPEED: ModelSpeed = {
  kinds: [
    {
      passes: [
        { rows: 1, seconds: 0.01 },
        { rows: 101, seconds: 0.11 },
      ],
      perCachedToken: 1e-6,
      perCachedTokenOfMany: 1e-6,
    },
  ],
  kindOfLayer: [0, 0, 0, 0],
  output: [{ rows: 1, seconds: 0.02 }],
  perPass: 0.005,
};

const WHOLE: StagePart = { layerBegin: 0, layerEnd: 4, hasOutput: true };

function passOf(seconds: number, change: Partial<ComputedPass> = {}): ComputedPass {
  return { rows: 1, outputs: 1, cachedTokens: 0, seconds, ...change };
}

describe("what is observed of a stage", () => {
  const look = (part: StagePart, passes: readonly ComputedPass[]) => observe(SPEED, NO_CORRECTION, part, passes);

  test("few rows: layers, cache, pass and output head", () => {
    const pass = passOf(1, { cachedTokens: 500 });
    const [inner, ...more] = look({ layerBegin: 1, layerEnd: 3, hasOutput: false }, [pass]);
    assert.deepEqual(more, []);
    assert.deepEqual([inner?.measured, inner?.isFew, inner?.output], [1, true, 0]);
    close(inner?.layers, 2 * (0.01 + 500e-6));
    close(inner?.predicted, 2 * (0.01 + 500e-6) + 0.005);
    const [whole] = look(WHOLE, [pass]);
    close(whole?.output, 0.02);
    close(whole?.predicted, 4 * (0.01 + 500e-6) + 0.005 + 0.02);
  });

  test("many rows: the output head of those that are wanted", () => {
    const [many, ...more] = look(WHOLE, [passOf(1, { rows: 51 })]);
    assert.deepEqual([more, many?.isFew], [[], false]);
    close(many?.predicted, 4 * 0.06 + 0.005 + 0.02);
    close(look(WHOLE, [passOf(1, { rows: 51, outputs: 0 })])[0]?.predicted, 4 * 0.06 + 0.005);
  });

  test("the output head alone", () => {
    const [seen] = look({ layerBegin: 4, layerEnd: 4, hasOutput: true }, [passOf(1)]);
    close(seen?.predicted, 0.005 + 0.02);
  });

  test("few rows and many apart, of each the pass in the middle", () => {
    const times = [0.07, 0.9, 0.068, 0.069, 0.5, 0.071, 0.0701];
    const seen = look(WHOLE, [...times.map((seconds) => passOf(seconds)), passOf(0.3, { rows: 100 })]);
    assert.deepEqual(
      seen.map(({ measured, isFew }) => [measured, isFew]),
      [
        [0.0701, true],
        [0.3, false],
      ],
    );
  });

  test("nothing, where too little was computed to tell", () => {
    assert.deepEqual(look(WHOLE, []), []);
    assert.deepEqual(look(WHOLE, [passOf(0.01), passOf(0.02)]), []);
  });

  test("against what was learned before", () => {
    const twice = { ...NO_CORRECTION, few: 2, perPass: 0.001 };
    const [seen] = observe(SPEED, twice, WHOLE, [passOf(1)]);
    close(seen?.predicted, 4 * 0.02 + 0.006 + 0.02);
    close(seen?.layers, 4 * 0.01);
  });
});
