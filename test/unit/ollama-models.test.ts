import assert from "node:assert/strict";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { parameterSize } from "../../src/api/ollama/model-details.js";
import { modelInfoJson } from "../../src/api/ollama/model-info.js";
import { plainName, taggedName } from "../../src/api/ollama/names.js";
import type { CacheEntry } from "../../src/model/model-cache.js";
import { ModelDescriptions } from "../../src/model/model-descriptions.js";
import { CHATML_TEMPLATE } from "../support/chat-template.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const nothingCached = new ModelDescriptions({ cached: async () => null });

describe("what Ollama's clients read of a model", () => {
  test("names have tags there, and none here", () => {
    const names: readonly (readonly [string, string])[] = [
      ["tinyllama", "tinyllama"],
      ["tinyllama:latest", "tinyllama"],
      ["hf.co/org/repo:Q4_K_M", "hf:org/repo:Q4_K_M"],
      ["https://huggingface.co/org/repo", "hf:org/repo"],
      ["hf.co/org/repo:latest", "hf:org/repo"],
      ["hf:org/repo:Q8_0", "hf:org/repo:Q8_0"],
      ["/models/a.gguf", "/models/a.gguf"],
    ];
    for (const [theirs, ours] of names) assert.equal(plainName(theirs), ours);
    assert.equal(taggedName("tinyllama"), "tinyllama:latest");
    assert.equal(taggedName("hf:org/repo:Q8_0"), "hf:org/repo:Q8_0");
    for (const [, ours] of names) assert.equal(plainName(taggedName(ours)), ours);
  });

  test("sizes are short", () => {
    const sizes = [0, 999, 1500, 260_032, 494_032_768, 1_100_048_384, 7e10, 1.2e12].map(parameterSize);
    assert.deepEqual(sizes, ["", "999", "2K", "260K", "494.03M", "1.1B", "70.0B", "1.2T"]);
  });

  test("the file's own words are told, its long lists and its template are not repeated among them", async () => {
    const { path, remove } = writeTinyModel({ chatTemplate: CHATML_TEMPLATE });
    try {
      const description = await nothingCached.find(path);
      assert.ok(description !== null);
      const card = { id: "tiny", created: 0, ownedBy: "", contextSize: 128 };
      const shown = modelInfoJson(card, description);
      assert.equal(shown.details.family, "llama");
      assert.equal(shown.details.quantization_level, description.info.quantisation);
      assert.equal(shown.model_info["general.architecture"], "llama");
      assert.equal(shown.model_info["llama.block_count"], 4);
      assert.equal(shown.model_info["tokenizer.ggml.tokens"], null);
      assert.ok(!("tokenizer.chat_template" in shown.model_info));
      assert.equal(shown.template, CHATML_TEMPLATE);
      assert.match(shown.parameters, /^num_ctx +128$/);
      assert.equal(description.sha256, null, "it was not fetched");
    } finally {
      remove();
    }
  });

  test("a node that holds a part of a model reads the header that it has", async () => {
    const { path, remove } = writeTinyModel({ layers: 3 });
    const entry = (files: readonly string[]): CacheEntry => ({
      directory: dirname(path),
      manifest: { spec: "hf:org/repo/tiny.gguf", id: "tiny", aliases: [], source: null, completedAt: null, files: [] },
      complete: false,
      bytes: 1,
      total: 2,
      partial: new Map(files.map((name) => [name, { bytes: 2, version: null, header: null, hashes: new Map() }])),
    });
    try {
      const partly = new ModelDescriptions({ cached: async () => entry(["tiny.gguf"]) });
      assert.equal((await partly.find("tiny"))?.info.layerCount, 3);
      const hardly = new ModelDescriptions({ cached: async () => entry([]) });
      assert.equal(await hardly.find("tiny"), null);
    } finally {
      remove();
    }
  });

  test("of a model that is elsewhere only what its ring tells is told", async () => {
    assert.equal(await nothingCached.find("/no/such/file.gguf"), null);
    assert.equal(await nothingCached.find("tinyllama"), null);
    const ring = { architecture: "qwen2", parameterCount: 5, contextTrained: 32_768, embeddingSize: 896 };
    const shown = modelInfoJson({ id: "far", created: 0, ownedBy: "", ...ring }, null);
    assert.deepEqual(shown.model_info, {
      "general.architecture": "qwen2",
      "general.parameter_count": 5,
      "qwen2.context_length": 32_768,
      "qwen2.embedding_length": 896,
    });
    assert.deepEqual(shown.capabilities, ["completion"]);
    assert.equal(shown.template, "");
  });
});
