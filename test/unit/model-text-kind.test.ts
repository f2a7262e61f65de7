import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";
import type { GgufValue } from "../../src/model/gguf-header.js";
import { GgufMetadata } from "../../src/model/gguf-metadata.js";
import { capabilitiesOf, ENCODERS, keepsNothing, textKind } from "../../src/model/text-kind.js";

function kindOf(architecture: string, own: Readonly<Record<string, GgufValue>> = {}) {
  const values = new Map<string, GgufValue>([
    ["general.architecture", architecture],
    ...Object.entries(own).map(([key, value]): [string, GgufValue] => [`${architecture}.${key}`, value]),
  ]);
  const texts = textKind(new GgufMetadata(values, "test.gguf"));
  return { ...texts, capabilities: capabilitiesOf({ architecture, texts }) };
}

describe("what a model does with a text", () => {
  test("a language model answers, and its states can be embeddings", () => {
    const kind = kindOf("llama");
    assert.equal(kind.pooling, null);
    assert.equal(kind.wholeTexts, false);
    assert.deepEqual(kind.capabilities, ["completion", "embedding"]);
  });

  test("one whose file says how its states become an embedding is an embedding model", () => {
    const kind = kindOf("qwen3", { pooling_type: 3 });
    assert.equal(kind.pooling, "last");
    assert.equal(kind.wholeTexts, false);
    assert.deepEqual(kind.capabilities, ["embedding"]);
    assert.deepEqual(kindOf("qwen3", { pooling_type: 0 }).capabilities, ["completion", "embedding"]);
  });

  test("encoders, and whatever looks ahead, take texts whole", () => {
    assert.equal(kindOf("bert", { pooling_type: 2 }).wholeTexts, true);
    assert.equal(kindOf("llama", { "attention.causal": false }).wholeTexts, true);
    assert.equal(kindOf("dream").wholeTexts, true);
    assert.deepEqual(kindOf("modern-bert").capabilities, ["embedding"]);
  });

  test("models that rank texts, and encoders that llama.cpp runs otherwise, can be asked for neither", () => {
    assert.deepEqual(kindOf("bert", { pooling_type: 4 }).capabilities, []);
    assert.deepEqual(kindOf("t5encoder").capabilities, []);
  });

  test("a pooling that nobody knows is none", () => {
    assert.equal(kindOf("bert", { pooling_type: 77 }).pooling, null);
    assert.equal(kindOf("bert", { pooling_type: "mean" }).pooling, null);
  });
});

/** The names of the architectures in a `case` list of a C++ function. */
function casesOf(source: string, functionName: string): readonly string[] {
  const names = readFileSync(join(packageRoot(), "vendor/llama.cpp/src/llama-arch.cpp"), "utf8");
  const nameOf = new Map([...names.matchAll(/\{ (LLM_ARCH_\w+), +"([^"]+)" +\}/g)].map(([, id, name]) => [id, name]));
  const body = source.slice(source.indexOf(functionName));
  const [, block = ""] = /switch \(arch\) \{(.*?)(?:return true|res = nullptr);/s.exec(body) ?? [];
  return [...block.matchAll(/case (LLM_ARCH_\w+):/g)].map(([, id]) => nameOf.get(id) ?? id ?? "");
}

const unpacked = existsSync(join(packageRoot(), "vendor/llama.cpp/src/llama-model.cpp"));

describe("the tables of architectures", { skip: unpacked ? false : "llama.cpp is not unpacked here" }, () => {
  test("encoders are those that the patched llama.cpp knows as such", () => {
    const source = readFileSync(join(packageRoot(), "vendor/overlay/src/exo-text.cpp"), "utf8");
    assert.deepEqual([...ENCODERS].sort(), casesOf(source, "is_encoder").toSorted());
  });

  test("those that keep nothing of a text are those for which llama.cpp makes no cache", () => {
    const source = readFileSync(join(packageRoot(), "vendor/llama.cpp/src/llama-model.cpp"), "utf8");
    const cacheless = casesOf(source, "llama_memory_i * llama_model::create_memory");
    assert.ok(cacheless.length > 5);
    for (const architecture of cacheless) {
      assert.equal(keepsNothing(architecture), architecture !== "wavtokenizer-dec", architecture);
    }
    for (const architecture of ENCODERS) assert.equal(keepsNothing(architecture), cacheless.includes(architecture));
  });
});
