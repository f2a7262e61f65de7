import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";
import type { GgufValue } from "../../src/model/gguf-header.js";
import { GgufMetadata } from "../../src/model/gguf-metadata.js";
import { CUTTABLE, layerCuts } from "../../src/model/layer-cuts.js";

const LAYERS = 6;

function cutsOf(architecture: string, more: Readonly<Record<string, GgufValue>> = {}, layers = LAYERS) {
  const own = Object.entries({ embedding_length: 64, context_length: 4096, ...more });
  const values = new Map<string, GgufValue>([
    ["general.architecture", architecture],
    ...own.map(([key, value]): [string, GgufValue] => [`${architecture}.${key}`, value]),
  ]);
  return layerCuts(new GgufMetadata(values, "test.gguf"), layers);
}

const beginnings = (allowed: readonly boolean[]): readonly number[] =>
  allowed.flatMap((may, layer) => (may ? [layer] : []));

describe("where a model may be cut", () => {
  test("mostly everywhere, with one hidden state crossing", () => {
    const { allowed, rowElements, reason } = cutsOf("llama");
    assert.deepEqual(beginnings(allowed), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(rowElements, new Array(7).fill(64));
    assert.equal(reason, null);
  });

  test("nowhere for those that need their layers together, and those that nobody has compared", () => {
    for (const architecture of ["t5", "rwkv7", "gemma3n", "gptj", "nothing-known"]) {
      const { allowed, reason } = cutsOf(architecture);
      assert.deepEqual(beginnings(allowed), [0], architecture);
      assert.ok(reason !== null, architecture);
    }
    assert.deepEqual(beginnings(cutsOf("nanbeige", { num_loops: 2 }).allowed), [0]);
    assert.deepEqual(beginnings(cutsOf("gemma4", { embedding_length_per_layer_input: 256 }).allowed), [0]);
  });

  test("before the layers whose keys and values later ones attend to", () => {
    assert.deepEqual(beginnings(cutsOf("gemma4", { "attention.shared_kv_layers": 2 }).allowed), [0, 1, 2]);
  });

  test("where a layer selects anew what is attended to", () => {
    const types: GgufValue = { length: 6, values: [1, 0, 1, 0, 1, 0] };
    const more = { "attention.indexer.types": types, "attention.indexer.top_k": 4 };
    assert.deepEqual(beginnings(cutsOf("hy_v4", more).allowed), [0, 2, 4]);
    assert.deepEqual(beginnings(cutsOf("glm-dsa").allowed), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(beginnings(cutsOf("glm-dsa", { context_length: 2 ** 20 }, 12).allowed), [0, 1, 2, 6, 10]);
  });

  test("several hidden states cross in some", () => {
    assert.deepEqual(cutsOf("deepseek4", { "hyper_connection.count": 4 }).rowElements, new Array(7).fill(256));
    assert.deepEqual(cutsOf("kimi-k3", { "attn_res.block_size": 2 }).rowElements, [64, 128, 128, 192, 192, 256, 256]);
    assert.deepEqual(cutsOf("talkie").rowElements, [128, 128, 128, 128, 128, 128, 64]);
  });
});

test("the table of architectures is the one that the patched llama.cpp goes by", (context) => {
  const rules = readFileSync(join(packageRoot(), "vendor/overlay/src/exo-stage-archs.cpp"), "utf8");
  const names = join(packageRoot(), "vendor/llama.cpp/src/llama-arch.cpp");
  if (!existsSync(names)) return context.skip("llama.cpp is not unpacked here");
  const nameOf = new Map(
    [...readFileSync(names, "utf8").matchAll(/\{ (LLM_ARCH_\w+), +"([^"]+)" +\}/g)].map(([, id, name]) => [id, name]),
  );
  const [, block = ""] = /four more\.\n(.*?)return \{\};/s.exec(rules) ?? [];
  const shown = [...block.matchAll(/case (LLM_ARCH_\w+):/g)].map(([, id]) => nameOf.get(id) ?? id);
  assert.ok(shown.length > 100);
  assert.deepEqual([...CUTTABLE].sort(), shown.sort());
});
