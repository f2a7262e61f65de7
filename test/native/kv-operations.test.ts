import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { encodeKvOperations, type KvOperation } from "../../src/native/micro-batch.js";
import { Chain, rowsOf, someTokens } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
after(() => tiny.remove());

const RESET: KvOperation = { op: "remove", sequence: null, from: 0, to: null };

// Both ways to keep several sequences, and a cut model: every stage applies the same operations.
const chains = [
  { name: "a cache for each sequence", ranges: [[0, 4, true]], kvUnified: false },
  { name: "one shared cache", ranges: [[0, 4, true]], kvUnified: true },
  {
    name: "two stages",
    ranges: [
      [0, 2, false],
      [2, 4, true],
    ],
    kvUnified: false,
  },
] as const;

for (const { name, ranges, kvUnified } of chains) {
  describe(`KV operations with ${name}`, () => {
    let chain: Chain;
    before(async () => {
      chain = await Chain.load(tiny.path, ranges, { maxSequences: 3, kvUnified, contextSize: kvUnified ? 768 : 256 });
    });
    after(() => chain.close());

    const step = (tokens: readonly number[], position: number, sequence = 0, ...operations: KvOperation[]) =>
      chain.logits(rowsOf(tokens, position, sequence), encodeKvOperations(operations));

    /** Logits of the last of `tokens` computed anew. */
    async function fresh(tokens: readonly number[], sequence = 0): Promise<Float32Array> {
      const logits = await step(tokens, 0, sequence, RESET);
      return logits.slice(-chain.last.info.vocabularySize);
    }

    const close = (actual: Float32Array, expected: Float32Array): void =>
      actual.forEach((value, index) => {
        const other = expected[index] ?? Number.NaN;
        assert.ok(Math.abs(value - other) < 2e-3, `logit ${index}: ${value} instead of ${other}`);
      });

    test("remove cuts a sequence back", async () => {
      const tokens = someTokens(20);
      const expected = await fresh([...tokens.slice(0, 10), 5]);
      await step(tokens, 0, 0, RESET);
      const actual = await step([5], 10, 0, { op: "remove", sequence: 0, from: 10, to: null });
      close(actual, expected);
    });

    test("copy gives another sequence the same past", async () => {
      const tokens = someTokens(15);
      const expected = await fresh([...tokens.slice(0, 8), 9], 2);
      await step(tokens, 0, 0, RESET);
      await step(someTokens(4, 9), 0, 2);
      const actual = await step([9], 8, 2, { op: "copy", sequence: 0, destination: 2, from: 0, to: 8 });
      close(actual, expected);
      // and the source goes on untouched
      close(await step([9], 15, 0), await fresh([...tokens, 9]));
    });

    test("copy takes what was there before the rows of its own micro-batch, of a source that goes on in it", async () => {
      const tokens = someTokens(15);
      const expected = await fresh([...tokens, 9], 1);
      const goesOn = await fresh([...tokens, 7], 0);
      await step(tokens, 0, 0, RESET);
      const copy: KvOperation = { op: "copy", sequence: 0, destination: 1, from: 0, to: 15 };
      const rows = [...rowsOf([7], 15, 0), ...rowsOf([9], 15, 1)];
      const both = await chain.logits(rows, encodeKvOperations([copy]));
      const size = chain.last.info.vocabularySize;
      close(both.slice(0, size), goesOn);
      close(both.slice(size), expected);
    });

    test("copies of one micro-batch follow each other, also back over their source", async () => {
      const tokens = someTokens(20);
      const expected = await fresh([...tokens.slice(0, 12), 9], 2);
      const other = await fresh([...tokens.slice(0, 5), 8], 0);
      await step(tokens, 0, 0, RESET);
      await step(someTokens(6, 5), 0, 1);
      const rows = [...rowsOf([8], 5, 0), ...rowsOf([9], 12, 2)];
      const logits = await chain.logits(
        rows,
        encodeKvOperations([
          { op: "copy", sequence: 0, destination: 1, from: 0, to: 16 },
          { op: "copy", sequence: 1, destination: 2, from: 0, to: 12 },
          { op: "copy", sequence: 2, destination: 0, from: 0, to: 5 },
        ]),
      );
      const size = chain.last.info.vocabularySize;
      close(logits.slice(0, size), other);
      close(logits.slice(size), expected);
    });

    test("a sequence goes on from a copy as from its own rows, token by token", async () => {
      const tokens = someTokens(40);
      const more = someTokens(12, 4);
      await step(tokens.slice(0, 33), 0, 0, RESET);
      const expected: Float32Array[] = [];
      for (const [index, token] of more.entries()) expected.push(await step([token], 33 + index, 0));
      await step(tokens, 0, 1, RESET);
      await step(someTokens(50, 8), 0, 2);
      const copy: KvOperation = { op: "copy", sequence: 1, destination: 2, from: 0, to: 33 };
      for (const [index, token] of more.entries()) {
        close(
          await step([token], 33 + index, 2, ...(index === 0 ? [copy] : [])),
          expected[index] ?? new Float32Array(),
        );
      }
    });

    test("keep drops every other sequence", async () => {
      const tokens = someTokens(6);
      const expected = await fresh([...tokens, 7], 1);
      await step(tokens, 0, 1, RESET);
      await step(tokens, 0, 0);
      close(await step([7], 6, 1, { op: "keep", sequence: 1 }), expected);
      // 0 is empty again: it starts at 0
      close(await step([8], 0, 0), await fresh([8]));
    });

    test("add moves positions, as when the start of a long text is dropped", async () => {
      const tokens = someTokens(12);
      await step(tokens, 0, 0, RESET);
      const shifted = await step(
        [11],
        8,
        0,
        { op: "remove", sequence: 0, from: 0, to: 4 },
        { op: "add", sequence: 0, from: 4, to: null, delta: -4 },
      );
      assert.ok(shifted.every(Number.isFinite));
      await assert.rejects(step([3], 5, 0), ExoError, "the sequence now ends at 8");
    });

    test("sequences do not see each other", async () => {
      const alone = await fresh([...someTokens(5), 4], 1);
      await step(someTokens(30, 8), 0, 0, RESET);
      await step(someTokens(5), 0, 1);
      close(await step([4], 5, 1), alone);
    });
  });
}

test("operations without rows are a micro-batch of their own", async () => {
  const chain = await Chain.load(tiny.path, [[0, 4, true]]);
  await chain.logits(rowsOf(someTokens(3)));
  const result = await chain.last.decode({ rows: new Uint8Array(0), kvOperations: encodeKvOperations([RESET]) });
  assert.deepEqual(result.samples, []);
  assert.equal(result.activations, null);
  assert.equal((await chain.logits(rowsOf(someTokens(3)))).length, 3 * chain.last.info.vocabularySize);
  await chain.close();
});
