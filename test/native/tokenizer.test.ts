import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stage } from "../../src/native/stage.js";
import { TINY_BOS, TINY_EOS, TINY_VOCABULARY_SIZE, writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
let stage: Stage;
before(async () => {
  stage = await Stage.load({ modelPath: tiny.path, layerBegin: 0, layerEnd: 0, hasOutput: false, vocabOnly: true });
});
after(async () => {
  await stage.close();
  tiny.remove();
});

test("text goes to tokens and back", () => {
  for (const text of ["Hello, world!", "ä ö ü", "日本語 🙂", "", "a\nb\tc"]) {
    const tokens = stage.tokenizer.encode(text);
    assert.equal(stage.tokenizer.decode(tokens).trimStart(), text, text);
  }
});

test("special tokens only where asked for", () => {
  assert.equal(stage.tokenizer.encode("a", { addSpecial: true })[0], TINY_BOS);
  assert.ok(!stage.tokenizer.encode("a").includes(TINY_BOS));
  assert.ok(stage.tokenizer.encode("x</s>", { parseSpecial: true }).includes(TINY_EOS));
  assert.ok(!stage.tokenizer.encode("x</s>").includes(TINY_EOS));
  assert.equal(stage.tokenizer.decode([TINY_EOS]), "");
  assert.equal(stage.tokenizer.decode([TINY_EOS], { renderSpecial: true }), "</s>");
});

test("bytes come as they are, also of half a character", () => {
  const tokens = stage.tokenizer.encode("é").filter((token) => token >= 3 && token < 259);
  assert.equal(tokens.length, 2);
  assert.deepEqual([...stage.tokenizer.decodeBytes(tokens.slice(0, 1))], [0xc3]);
  assert.equal(stage.tokenizer.decode(tokens.slice(0, 1)), "\ufffd");
});

test("a token outside the vocabulary is refused", () => {
  for (const token of [-1, TINY_VOCABULARY_SIZE, 2 ** 31 - 1]) {
    assert.throws(() => stage.tokenizer.decode([token]), { code: "invalid_argument", message: /vocabulary/ });
  }
});

test("a vocabulary alone computes nothing, and takes no memory", async () => {
  assert.equal(stage.info.vocabularySize, TINY_VOCABULARY_SIZE);
  assert.equal(stage.info.layerCount, 4);
  assert.equal(stage.memory().weights, 0);
  await assert.rejects(stage.decode({ rows: new Uint8Array(12) }), { code: "invalid_argument", message: /vocabulary/ });
});
