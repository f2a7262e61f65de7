import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { encodeRows, type Row } from "../../src/native/micro-batch.js";
import type { DecodeResult, Stage } from "../../src/native/stage.js";
import { tinyModel, writtenModel } from "../support/models.js";
import { Chain, normalizedError, type Range, rowsOf, someTokens } from "../support/stages.js";
import { TINY_ENCODER_LAYERS, TINY_ENCODERS, tinyEncoder } from "../support/tiny-encoder.js";

const LAYERS = 4;
const WHOLE: Range = [0, LAYERS, true];
const CUTS: Readonly<Record<string, readonly Range[]>> = {
  "two stages": [
    [0, 2, false],
    [2, LAYERS, true],
  ],
  "two stages and the way back": [
    [0, 2, false],
    [2, LAYERS, false],
    [LAYERS, LAYERS, true],
  ],
  "a stage for each layer": [
    [0, 1, false],
    [1, 2, false],
    [2, 3, false],
    [3, LAYERS, false],
    [LAYERS, LAYERS, true],
  ],
};

/** Texts of three lengths, each a sequence of its own. */
const TEXTS = [someTokens(23), someTokens(5, 2), someTokens(14, 3)];

function allRows(texts: readonly (readonly number[])[]): Row[] {
  return texts.flatMap((tokens, sequence) => rowsOf(tokens, 0, sequence));
}

/** As a ring does it: the stage before the output head gives only the rows that are wanted. */
async function pooled(chain: Chain, rows: readonly Row[], kvOperations = new Int32Array()): Promise<Float32Array> {
  let activations: Uint8Array | undefined;
  let bytes = encodeRows(rows);
  for (const [index, stage] of chain.stages.slice(0, -1).entries()) {
    const isLast = chain.last.options.layerBegin === LAYERS && index === chain.stages.length - 2;
    const work = { rows: bytes, kvOperations, resultOutputsOnly: isLast };
    const result: DecodeResult = await stage.decode({ ...work, ...(activations && { activations }) });
    if (isLast) bytes = encodeRows(rows.filter(({ output }) => output));
    activations = result.activations ?? undefined;
  }
  const work = { rows: bytes, kvOperations, wantPooled: true };
  const result = await chain.last.decode({ ...work, ...(activations && { activations }) });
  assert.ok(result.pooled !== null);
  assert.equal(result.logits, null);
  return result.pooled;
}

const sizeOf = (chain: Chain): number => chain.last.info.pooledSize;
const EMPTIED = Int32Array.of(0, -1, 0, 0, -1, 0);

const models = [
  { name: "llama", path: tinyModel() },
  ...TINY_ENCODERS.map((name) => ({ name, path: writtenModel(name, tinyEncoder(name)) })),
];
assert.equal(TINY_ENCODER_LAYERS, LAYERS);

for (const { name, path } of models) {
  describe(`hidden states of ${name}`, () => {
    let whole: Chain;
    before(async () => {
      whole = await Chain.load(path, [WHOLE], { maxSequences: 3, contextSize: 64 });
    });
    after(() => whole.close());

    test("are not those of other texts in the micro-batch", async () => {
      // A cache computes sequences of unlike length in several passes, which texts that look ahead must not be cut by.
      const { wholeTexts, keepsCache } = whole.last.info;
      if (wholeTexts && keepsCache) return;
      const together = await pooled(whole, allRows(TEXTS), EMPTIED);
      const size = sizeOf(whole);
      assert.equal(together.length, TEXTS.length * size);
      for (const [sequence, tokens] of TEXTS.entries()) {
        const alone = await pooled(whole, rowsOf(tokens, 0, sequence), EMPTIED);
        const error = normalizedError(together.slice(sequence * size, (sequence + 1) * size), alone);
        assert.ok(error < 1e-9, `sequence ${sequence} differs by ${error}`);
      }
    });

    test("are summed over the rows that are wanted", async () => {
      const tokens = TEXTS[0] ?? [];
      const all = await pooled(whole, rowsOf(tokens), EMPTIED);
      const sum = new Float32Array(all.length);
      for (const wanted of tokens.keys()) {
        const rows = rowsOf(tokens).map((row, index) => ({ ...row, output: index === wanted }));
        const one = await pooled(whole, rows, EMPTIED);
        for (const [index, value] of one.entries()) sum[index] = (sum[index] ?? 0) + value;
      }
      const error = normalizedError(sum, all);
      assert.ok(error < 1e-9, `they differ by ${error}`);
    });

    for (const [cut, ranges] of Object.entries(CUTS)) {
      test(`are the same of ${cut}`, async () => {
        const parts = await Chain.load(path, ranges, { maxSequences: 3, contextSize: 64 });
        const texts = whole.last.info.wholeTexts && whole.last.info.keepsCache ? TEXTS.slice(0, 1) : TEXTS;
        assert.deepEqual(await pooled(parts, allRows(texts), EMPTIED), await pooled(whole, allRows(texts), EMPTIED));
        const last = allRows(texts).map((row) => ({
          ...row,
          output: row.position === (texts[row.sequence]?.length ?? 0) - 1,
        }));
        // Some kernels add up in another order where they compute few rows.
        const error = normalizedError(await pooled(parts, last, EMPTIED), await pooled(whole, last, EMPTIED));
        assert.ok(error < 1e-9, `they differ by ${error}`);
        await parts.close();
      });
    }
  });
}

describe("a language model that is asked for embeddings", () => {
  let stage: Stage;
  let chain: Chain;
  before(async () => {
    chain = await Chain.load(tinyModel(), [WHOLE], { maxSequences: 2, maxOutputs: 4 });
    stage = chain.last;
  });
  after(() => chain.close());

  test("gives logits before and after as if nothing had been", async () => {
    const rows = rowsOf(someTokens(4));
    const logits = await chain.logits(rows, EMPTIED);
    await pooled(chain, rowsOf(someTokens(40), 0, 1), EMPTIED);
    assert.deepEqual(await chain.logits(rows, EMPTIED), logits);
  });

  test("takes more wanted rows than it has room for logits of", async () => {
    const tokens = someTokens(40);
    assert.equal((await pooled(chain, rowsOf(tokens), EMPTIED)).length, stage.info.pooledSize);
    await assert.rejects(chain.logits(rowsOf(tokens), EMPTIED), { code: "invalid_argument" });
  });

  test("computes a text in pieces as in one", async () => {
    const tokens = someTokens(40);
    const whole = await pooled(chain, rowsOf(tokens), EMPTIED);
    const first = await pooled(chain, rowsOf(tokens.slice(0, 25)), EMPTIED);
    const second = await pooled(chain, rowsOf(tokens.slice(25), 25));
    const error = normalizedError(
      first.map((value, index) => value + (second[index] ?? 0)),
      whole,
    );
    assert.ok(error < 1e-9, `they differ by ${error}`);
  });

  test("computes a piece of which no row is wanted", async () => {
    const rows = rowsOf(someTokens(10)).map((row) => ({ ...row, output: false }));
    const { pooled: none } = await stage.decode({ rows: encodeRows(rows), kvOperations: EMPTIED, wantPooled: true });
    assert.equal(none, null);
  });

  test("gives either embeddings or samples and logits", async () => {
    const rows = encodeRows(rowsOf(someTokens(2)));
    await assert.rejects(stage.decode({ rows, wantPooled: true, wantLogits: true }), { code: "invalid_argument" });
    const sampler = stage.createSampler();
    const samples = [{ row: 1, sampler, logprobs: 0 }];
    await assert.rejects(stage.decode({ rows, wantPooled: true, samples }), { code: "invalid_argument" });
    sampler.close();
  });

  test("gives none where the output head is not", async () => {
    const front = await Chain.load(tinyModel(), [[0, 2, false]]);
    const rows = encodeRows(rowsOf(someTokens(2)));
    await assert.rejects(front.last.decode({ rows, wantPooled: true }), { code: "unsupported" });
    await front.close();
  });
});

describe("an embedding model", () => {
  let chain: Chain;
  before(async () => {
    chain = await Chain.load(writtenModel("bert", tinyEncoder("bert", { pooling: "cls" })), [WHOLE]);
  });
  after(() => chain.close());

  test("says what it is", () => {
    const { pooling, wholeTexts, keepsCache, generates, pooledSize, contextSize } = chain.last.info;
    assert.deepEqual(
      { pooling, wholeTexts, keepsCache, generates, pooledSize },
      {
        pooling: "cls",
        wholeTexts: true,
        keepsCache: false,
        generates: false,
        pooledSize: 64,
      },
    );
    assert.equal(contextSize, 64, "as many positions as it has learned");
  });

  test("refuses to sample", async () => {
    const sampler = chain.last.createSampler();
    const samples = [{ row: 0, sampler, logprobs: 0 }];
    await assert.rejects(chain.last.decode({ rows: encodeRows(rowsOf([5])), samples }), { code: "unsupported" });
    sampler.close();
  });

  test("refuses positions that it has not learned, and goes on", async () => {
    const rows = rowsOf(someTokens(3), 63);
    await assert.rejects(pooled(chain, rows), { code: "context_exceeded" });
    assert.equal((await pooled(chain, rowsOf(someTokens(64)))).length, 64);
  });
});
