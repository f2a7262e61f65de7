import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { activationRowBytes } from "../../src/native/activation.js";
import { encodeRows } from "../../src/native/micro-batch.js";
import { sharedModel } from "../support/models.js";
import { Chain, floatsOf, loadRange, normalizedError, type Range, rowsOf, someTokens } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
after(() => tiny.remove());

interface Model {
  readonly name: string;
  readonly path: string;
  readonly layers: number;
}

const stories = sharedModel("stories260K-f16.gguf");
const models: Model[] = [
  { name: "a tiny random llama", path: tiny.path, layers: 4 },
  ...(stories === null ? [] : [{ name: "stories260K", path: stories, layers: 5 }]),
];

/** Cuts that a ring uses: a plain line, more stages, and the head's way back as a stage of its own. */
const cutsOf = (layers: number): Record<string, Range[]> => ({
  "two stages": [
    [0, 2, false],
    [2, layers, true],
  ],
  "three stages": [
    [0, 1, false],
    [1, 3, false],
    [3, layers, true],
  ],
  "two stages and the way back": [
    [0, 2, false],
    [2, layers, false],
    [layers, layers, true],
  ],
});

for (const model of models) {
  describe(`stages of ${model.name} equal the whole, bit by bit`, () => {
    let whole: Chain;
    before(async () => {
      whole = await Chain.load(model.path, [[0, model.layers, true]], { maxSequences: 3 });
    });
    after(() => whole.close());

    for (const [name, ranges] of Object.entries(cutsOf(model.layers))) {
      test(name, async () => {
        const cut = await Chain.load(model.path, ranges, { maxSequences: 3 });
        const kv = Int32Array.of(0, -1, 0, 0, -1, 0);
        const steps = [
          rowsOf(someTokens(40), 0, 0),
          [...rowsOf(someTokens(7, 2), 0, 1), ...rowsOf(someTokens(11, 3), 0, 2)],
          // one token each of all three, as decoding goes
          ...[0, 1, 2].map((step) => [
            ...rowsOf(someTokens(1, step + 4), 40 + step, 0),
            ...rowsOf(someTokens(1, step + 5), 7 + step, 1),
            ...rowsOf(someTokens(1, step + 6), 11 + step, 2),
          ]),
        ];
        for (const [index, rows] of steps.entries()) {
          const first = index === 0 ? kv : undefined;
          assert.deepEqual(await cut.logits(rows, first), await whole.logits(rows, first), `step ${index}`);
        }
        await cut.close();
      });
    }
  });
}

describe("hidden states between stages", () => {
  test("keep head room before them, and start aligned", async () => {
    const stage = await loadRange(tiny.path, [0, 2, false]);
    const rows = encodeRows(rowsOf(someTokens(5)));
    const { activations } = await stage.decode({ rows, resultHeadRoom: 128 });
    assert.equal(activations?.byteLength, 128 + 5 * activationRowBytes("f32", stage.info.outputSize));
    assert.equal(activations?.byteOffset, 0);
    assert.ok(activations?.subarray(0, 128).every((byte) => byte === 0));
    await stage.close();
  });

  test("come only for flagged rows when asked so", async () => {
    const stage = await loadRange(tiny.path, [0, 2, false], { maxSequences: 2 });
    const tokens = someTokens(6);
    const all = await stage.decode({ rows: encodeRows(rowsOf(tokens)) });
    const flagged = rowsOf(tokens, 0, 1).map((row, index) => ({ ...row, output: index === 2 || index === 5 }));
    const some = await stage.decode({ rows: encodeRows(flagged), resultOutputsOnly: true });
    const none = await stage.decode({
      rows: encodeRows(rowsOf(tokens, 6, 1).map((row) => ({ ...row, output: false }))),
      resultOutputsOnly: true,
    });
    assert.ok(all.activations !== null && some.activations !== null);
    const width = stage.info.outputSize;
    const expected = floatsOf(all.activations);
    const actual = floatsOf(some.activations);
    assert.deepEqual(actual.slice(0, width), expected.slice(2 * width, 3 * width));
    assert.deepEqual(actual.slice(width), expected.slice(5 * width));
    assert.equal(none.activations, null);
    await stage.close();
  });

  for (const [type, worst] of [
    ["f16", 1e-5],
    ["q8_0", 1e-3],
  ] as const) {
    test(`travel as ${type} with an error below ${worst}`, async () => {
      const whole = await Chain.load(tiny.path, [[0, 4, true]]);
      const first = await loadRange(tiny.path, [0, 2, false]);
      const second = await loadRange(tiny.path, [2, 4, true]);
      const list = rowsOf(someTokens(12));
      const rows = encodeRows(list);
      const { activations } = await first.decode({ rows, resultType: type, resultHeadRoom: 7 });
      assert.ok(activations !== null);
      // head room of 7 bytes: the states lie at an odd address
      const result = await second.decode({
        rows,
        activations: activations.subarray(7),
        activationType: type,
        wantLogits: true,
      });
      assert.ok(result.logits !== null);
      const error = normalizedError(result.logits, await whole.logits(list));
      assert.ok(error > 0 && error < worst, `error ${error}`);
      await Promise.all([whole.close(), first.close(), second.close()]);
    });
  }

  test("may lie at any address as f32", async () => {
    const cut = await Chain.load(tiny.path, [
      [0, 2, false],
      [2, 4, true],
    ]);
    const [first, second] = cut.stages;
    assert.ok(first !== undefined && second !== undefined);
    const rows = encodeRows(rowsOf(someTokens(9)));
    const { activations } = await first.decode({ rows });
    assert.ok(activations !== null);
    const shifted = new Uint8Array(activations.byteLength + 3);
    shifted.set(activations, 3);
    const aligned = await second.decode({ rows, activations, wantLogits: true });
    const reset = Int32Array.of(0, -1, 0, 0, -1, 0);
    const odd = await second.decode({
      rows,
      kvOperations: reset,
      activations: shifted.subarray(3),
      wantLogits: true,
    });
    assert.deepEqual(odd.logits, aligned.logits);
    await cut.close();
  });
});

test("a stage holds its own tensors and no others", async () => {
  const whole = await loadRange(tiny.path, [0, 4, true]);
  const parts = await Chain.load(tiny.path, [
    [0, 2, false],
    [2, 4, false],
    [4, 4, true],
  ]);
  const sum = parts.stages.reduce((total, stage) => total + stage.memory().weights, 0);
  assert.ok(Math.abs(sum - whole.memory().weights) <= 0.01 * sum, `${sum} of ${whole.memory().weights}`);
  const [first, second] = parts.stages.map((stage) => stage.memory());
  assert.equal((first?.kvCache ?? 0) + (second?.kvCache ?? 0), whole.memory().kvCache);
  assert.equal(parts.last.memory().kvCache, 0);
  await Promise.all([whole.close(), parts.close()]);
});
