import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type GgufInfo, modelPartPaths, readGgufInfo } from "../../src/model/gguf-info.js";
import { ggufFile, type MetadataSpec, TINY_METADATA, TINY_TENSORS, tinyModel } from "./model-gguf-builder.js";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "exo-gguf-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, content: Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function infoOf(metadata: MetadataSpec, architecture = "llama"): Promise<GgufInfo> {
  const own = Object.entries(TINY_METADATA).map(([key, value]) => [key.replace(/^llama\./, `${architecture}.`), value]);
  const merged = { ...(Object.fromEntries(own) as MetadataSpec), "general.architecture": architecture, ...metadata };
  return readGgufInfo(await write("case.gguf", ggufFile(merged, TINY_TENSORS)));
}

describe("what a model says about itself", () => {
  test("sizes by place", async () => {
    const path = await write("tiny.gguf", tinyModel());
    const info = await readGgufInfo(path);
    assert.equal(info.architecture, "llama");
    assert.equal(info.layerCount, 2);
    assert.deepEqual(info.layerBytes, [256 + 68, 256]);
    assert.equal(info.embeddingBytes, 96);
    assert.equal(info.outputBytes, 32 + 96);
    assert.equal(info.sharedBytes, 16);
    assert.equal(info.tiedEmbedding, false);
    assert.equal(info.vocabularySize, 3);
    assert.equal(info.quantisation, "F32");
    assert.equal(info.hasChatTemplate, true);
    assert.deepEqual(info.files, [{ path, bytes: tinyModel().length }]);
  });

  test("grouped attention: K and V of the KV heads only", async () => {
    const info = await infoOf({});
    assert.deepEqual(info.layerState[0], { keyElements: 4, valueElements: 4, fixedBytes: 0 });
  });

  test("head sizes of their own, and KV heads by layer", async () => {
    const info = await infoOf({
      "llama.attention.key_length": 16,
      "llama.attention.value_length": 8,
      "llama.attention.head_count_kv": [1, 3],
    });
    assert.deepEqual(
      info.layerState.map(({ keyElements, valueElements }) => [keyElements, valueElements]),
      [
        [16, 8],
        [48, 24],
      ],
    );
  });

  test("latent attention keeps no V", async () => {
    const info = await infoOf(
      {
        "deepseek2.attention.head_count_kv": 1,
        "deepseek2.attention.key_length": 576,
        "deepseek2.attention.value_length": 512,
        "deepseek2.attention.key_length_mla": 192,
      },
      "deepseek2",
    );
    assert.deepEqual(info.layerState[0], { keyElements: 576, valueElements: 0, fixedBytes: 0 });
  });

  test("recurrent layers keep a fixed state, hybrids in the layers without attention", async () => {
    const ssm = {
      "x.ssm.conv_kernel": 4,
      "x.ssm.inner_size": 32,
      "x.ssm.state_size": 16,
      "x.ssm.group_count": 1,
    };
    const state = (3 * (32 + 2 * 16) + 16 * 32) * 4;
    const hybrid = await infoOf({ ...ssm, "x.attention.head_count_kv": [0, 2] }, "x");
    assert.deepEqual(
      hybrid.layerState.map(({ keyElements, fixedBytes }) => [keyElements, fixedBytes]),
      [
        [0, state],
        [4, 0],
      ],
    );
    const interval = await infoOf({ ...ssm, "x.full_attention_interval": 2 }, "x");
    assert.deepEqual(
      interval.layerState.map(({ keyElements, fixedBytes }) => [keyElements, fixedBytes]),
      [
        [0, state],
        [4, 0],
      ],
    );
    const pure = await infoOf({ ...ssm, "x.attention.head_count": 0, "x.attention.head_count_kv": 0 }, "x");
    assert.deepEqual(
      pure.layerState.map(({ keyElements, fixedBytes }) => [keyElements, fixedBytes]),
      [
        [0, state],
        [0, state],
      ],
    );
  });

  test("layers that only predict further tokens are not placed", async () => {
    const info = await infoOf({ "llama.nextn_predict_layers": 1 });
    assert.equal(info.layerCount, 1);
    assert.deepEqual(info.layerBytes, [256 + 68]);
  });

  test("the quantisation comes from the commonest weights when the file does not say", async () => {
    assert.equal((await infoOf({ "general.file_type": 4711 })).quantisation, "F32");
  });

  test("models in several files", async () => {
    const [first, second] = [TINY_TENSORS.slice(0, 4), TINY_TENSORS.slice(4)];
    const path = await write("split-00001-of-00002.gguf", ggufFile(TINY_METADATA, first));
    await write("split-00002-of-00002.gguf", ggufFile({}, second));
    const info = await readGgufInfo(path);
    assert.deepEqual(info.layerBytes, [256 + 68, 256]);
    assert.equal(info.files.length, 2);
    await rm(join(folder, "split-00002-of-00002.gguf"));
    await assert.rejects(readGgufInfo(path), { code: "model_not_found", message: /split-00002-of-00002\.gguf/ });
    assert.throws(() => modelPartPaths("m-00002-of-00003.gguf"), { code: "invalid_argument" });
  });
});

describe("refused", () => {
  const cases: readonly [string, MetadataSpec, RegExp][] = [
    ["no layers", { "llama.block_count": 0 }, /7 tensors for 0 layers/],
    ["more layers than tensors", { "llama.block_count": 1_000_000 }, /7 tensors for 1000000 layers/],
    ["a size that is a text", { "llama.embedding_length": "wide" }, /"llama\.embedding_length" is not a size/],
  ];
  for (const [what, metadata, expected] of cases) {
    test(what, () => assert.rejects(infoOf(metadata), { code: "invalid_model", message: expected }));
  }

  test("what is missing is named", async () => {
    const bare = await write("bare.gguf", ggufFile({ "general.architecture": "llama" }, TINY_TENSORS));
    await assert.rejects(readGgufInfo(bare), { code: "invalid_model", message: /lacks "llama\.block_count"/ });
    const nameless = await write("nameless.gguf", ggufFile({}, TINY_TENSORS));
    await assert.rejects(readGgufInfo(nameless), { code: "invalid_model", message: /lacks "general\.architecture"/ });
    const vocabulary = await write("vocabulary.gguf", ggufFile(TINY_METADATA, TINY_TENSORS.slice(1)));
    await assert.rejects(readGgufInfo(vocabulary), { code: "invalid_model", message: /no token embedding/ });
  });

  test("no file, a directory, an empty file", async () => {
    await assert.rejects(readGgufInfo(join(folder, "none.gguf")), { code: "model_not_found", message: /no such file/ });
    await assert.rejects(readGgufInfo(folder), { code: "invalid_model", message: /not a file/ });
    await assert.rejects(readGgufInfo(await write("empty.gguf", Buffer.alloc(0))), { message: /it is empty/ });
  });
});
