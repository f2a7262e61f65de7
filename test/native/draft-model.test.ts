import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { encodeKvOperations, encodeRows } from "../../src/native/micro-batch.js";
import type { Stage } from "../../src/native/stage.js";
import { DraftModel, type DraftModelOptions } from "../../src/runtime/speculation/draft-model.js";
import type { ModelDraft } from "../../src/runtime/speculation/model-draft.js";
import { checkSameVocabulary } from "../../src/runtime/speculation/vocabulary.js";
import { argmax, loadRange, rowsOf, someTokens } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
let plain: Stage;
let model: DraftModel;

before(async () => {
  plain = await loadRange(tiny.path, [0, 4, true]);
  model = await openModel();
});
after(async () => {
  await Promise.all([plain.close(), model.close()]);
  tiny.remove();
});

async function openModel(options: Partial<DraftModelOptions> = {}): Promise<DraftModel> {
  const stage = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2, contextSize: 256 });
  return DraftModel.open({
    stage,
    batchSize: 16,
    vocabularySize: 100_000,
    leastProbability: 0,
    clock: systemClock,
    logger: silentLogger,
    ...options,
  });
}

function draft(of: DraftModel, sequence: number, tokens: readonly number[], count: number): Promise<ModelDraft> {
  return new Promise((resolve) => of.draft(sequence, tokens, count, resolve));
}

/** What the model says comes next, computed from nothing. */
async function greedy(tokens: readonly number[], count: number): Promise<number[]> {
  const text = [...tokens];
  for (let step = 0; step < count; step += 1) {
    const rows = rowsOf(text).map((row, at) => ({ ...row, output: at === text.length - 1 }));
    const kvOperations = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);
    const { logits } = await plain.decode({ rows: encodeRows(rows), kvOperations, wantLogits: true });
    assert.ok(logits !== null);
    text.push(argmax(logits));
  }
  return text.slice(tokens.length);
}

describe("a draft model", () => {
  test("drafts what it finds likeliest, and says how likely", async () => {
    const tokens = someTokens(40);
    const { tokens: drafted, probabilities } = await draft(model, 0, tokens, 6);
    assert.deepEqual(drafted, await greedy(tokens, 6));
    assert.equal(probabilities.length, 6);
    for (const probability of probabilities) assert.ok(probability > 0 && probability <= 1.0001);
  });

  test("drafts no further than it is sure", async () => {
    const tokens = someTokens(40);
    const all = await draft(model, 0, tokens, 6);
    const leastProbability = Math.max(...all.probabilities);
    const strict = await openModel({ leastProbability });
    const until = all.probabilities.findIndex((probability) => probability < leastProbability);
    assert.ok(until >= 0);
    assert.deepEqual((await draft(strict, 0, tokens, 6)).tokens, all.tokens.slice(0, until));
    await strict.close();
  });

  test("forgets what was rejected and learns what it missed", async () => {
    const tokens = someTokens(30);
    await draft(model, 0, tokens, 6);
    const other = [...tokens.slice(0, 20), ...someTokens(25, 7)];
    assert.equal(model.behind(0, other), 25);
    const { tokens: drafted } = await draft(model, 0, other, 4);
    assert.deepEqual(drafted, await greedy(other, 4));
    assert.ok(model.behind(0, other) <= 1);
  });

  test("drafts for several sequences at once, each its own", async () => {
    const texts = [someTokens(12, 3), someTokens(50, 4)];
    const drafts = await Promise.all(texts.map((tokens, sequence) => draft(model, sequence, tokens, 3)));
    for (const [index, { tokens }] of drafts.entries()) {
      assert.deepEqual(tokens, await greedy(texts[index] ?? [], 3));
    }
  });

  test("gives nothing where it cannot: no room, a token it does not know, one that the target does not know", async () => {
    assert.deepEqual((await draft(model, 0, someTokens(256), 4)).tokens, []);
    assert.deepEqual((await draft(model, 0, [3, 1_000_000], 4)).tokens, []);
    const narrow = await openModel({ vocabularySize: 1 });
    assert.deepEqual((await draft(narrow, 0, someTokens(10), 4)).tokens, []);
    await narrow.close();
  });

  test("calls back once when it is cancelled, asked again or closed, and goes on with others", async () => {
    const own = await openModel();
    let calls = 0;
    own.draft(0, someTokens(20), 8, () => (calls += 1));
    own.draft(0, someTokens(21), 8, () => (calls += 1));
    assert.equal(calls, 1, "the one that was replaced");
    own.cancel(0);
    assert.equal(calls, 2);
    own.cancel(0);
    const { tokens } = await draft(own, 1, someTokens(10), 2);
    assert.deepEqual(tokens, await greedy(someTokens(10), 2));
    own.draft(0, someTokens(20), 8, () => (calls += 1));
    await own.close();
    assert.equal(calls, 3);
  });

  for (const [code, asked] of [
    ["stage_lost", 1],
    ["context_exceeded", 3],
  ] as const) {
    test(`is asked no more after it failed ${asked} times with ${code}`, async (t) => {
      const stage = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2, contextSize: 256 });
      const own = await openModel({ stage });
      const failing = t.mock.method(stage, "decode", () => Promise.reject(new ExoError(code, "no")));
      for (let time = 0; time < 10; time += 1) assert.deepEqual((await draft(own, 0, someTokens(10), 2)).tokens, []);
      assert.equal(failing.mock.callCount(), asked);
      await own.close();
    });
  }

  test("that fails now and then is asked again", async (t) => {
    const stage = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2, contextSize: 256 });
    const own = await openModel({ stage });
    for (let time = 0; time < 5; time += 1) {
      const once = t.mock.method(stage, "decode", () => Promise.reject(new ExoError("context_exceeded", "no")));
      assert.deepEqual((await draft(own, 0, someTokens(10), 2)).tokens, []);
      once.mock.restore();
      assert.equal((await draft(own, 0, someTokens(10), 2)).tokens.length, 2);
    }
    await own.close();
  });

  test("is measured before it is used", () => {
    assert.ok(model.secondsPerToken > 0);
    assert.ok(model.secondsPerRow > 0);
  });
});

describe("vocabularies", () => {
  test("of the same family fit", async () => {
    const smaller = writeTinyModel({ layers: 1, width: 128, seed: 3 });
    const other = await loadRange(smaller.path, [0, 1, true]);
    await checkSameVocabulary(plain, other);
    await other.close();
    smaller.remove();
  });

  test("that differ are refused with what differs", async () => {
    const { info, tokenizer } = plain;
    const cases: readonly [Parameters<typeof checkSameVocabulary>[1], RegExp][] = [
      [{ info: { ...info, vocabularySize: info.vocabularySize + 1000 }, tokenizer }, /1354 tokens, the model 354/],
      [{ info: { ...info, bosToken: 77 }, tokenizer }, /begin with another token/],
      [{ info: { ...info, eosToken: 77 }, tokenizer }, /end with another token/],
      [
        { info, tokenizer: Object.assign(Object.create(tokenizer), { decodeBytes: () => new Uint8Array(1) }) },
        /token 5 /,
      ],
    ];
    for (const [other, message] of cases) {
      await assert.rejects(checkSameVocabulary(plain, other), {
        name: "ExoError",
        code: "invalid_argument",
        message,
      });
    }
  });
});
