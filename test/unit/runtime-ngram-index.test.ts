import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { NgramIndex } from "../../src/runtime/speculation/ngram-index.js";

function indexOf(tokens: readonly number[]): NgramIndex {
  const index = new NgramIndex();
  index.addAll(tokens);
  return index;
}

describe("NgramIndex", () => {
  test("guesses what followed the same tokens before", () => {
    const index = indexOf([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3]);
    assert.equal(index.matched, 3);
    assert.deepEqual(index.guess(4), [4, 5, 6, 7]);
  });

  test("prefers the place where more tokens before are the same", () => {
    const index = indexOf([9, 1, 2, 3, 40, 8, 1, 2, 3, 50, 9, 1, 2, 3]);
    assert.equal(index.matched, 4);
    assert.deepEqual(index.guess(1), [40]);
  });

  test("of places that match alike takes the last", () => {
    assert.deepEqual(indexOf([7, 1, 2, 3, 40, 8, 1, 2, 3, 50, 9, 1, 2, 3]).guess(1), [50]);
  });

  test("follows a match token by token, and says how long it held", () => {
    const index = indexOf([1, 2, 3, 4, 5, 6, 1, 2, 3]);
    assert.deepEqual(index.add(4), { matched: 3, right: true });
    assert.deepEqual(index.add(5), { matched: 4, right: true });
    assert.deepEqual(index.add(99), { matched: 5, right: false });
    assert.equal(index.matched, 0);
    assert.deepEqual(index.guess(3), []);
    assert.equal(index.add(98), null);
  });

  test("guesses that what repeats itself right now goes on so", () => {
    assert.deepEqual(indexOf([5, 1, 2, 3, 1, 2, 3]).guess(8), [1, 2, 3, 1, 2, 3, 1, 2]);
    assert.deepEqual(indexOf([7, 7, 7, 7]).guess(3), [7, 7, 7]);
  });

  test("says nothing about text that was never there", () => {
    for (const tokens of [[], [1], [1, 1, 1], [1, 2, 3, 4, 5]]) {
      const index = indexOf(tokens);
      assert.equal(index.matched, 0);
      assert.deepEqual(index.guess(5), []);
    }
  });

  test("keeps long texts: what it copies is really there, and lies behind the same tokens", () => {
    const token = fc.integer({ min: 0, max: 5 });
    fc.assert(
      fc.property(fc.array(token, { maxLength: 3000 }), fc.array(token, { maxLength: 50 }), (prompt, answer) => {
        const index = indexOf(prompt);
        const text = [...prompt];
        for (const next of answer) {
          const [guessed] = index.guess(1);
          const { matched } = index;
          assert.equal(guessed !== undefined, matched > 0);
          if (guessed !== undefined) {
            const end = text.slice(-matched).join();
            const copied = text.some(
              (other, at) => other === guessed && at >= matched && text.slice(at - matched, at).join() === end,
            );
            assert.ok(copied, `${guessed} follows ${end} somewhere`);
          }
          const outcome = index.add(next);
          assert.deepEqual(outcome, guessed === undefined ? null : { matched, right: guessed === next });
          text.push(next);
        }
        assert.equal(index.length, text.length);
      }),
      { numRuns: 40 },
    );
  });
});
