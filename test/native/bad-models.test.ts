import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { nativeCounters } from "../../src/native/load.js";
import { encodeGguf, type GgufTensor, type GgufValue } from "../support/gguf-writer.js";
import { loadRange, type Range, type StageExtras } from "../support/stages.js";
import { tinyGguf, tinyMetadata, tinyTensors } from "../support/tiny-gguf.js";

const directory = mkdtempSync(join(tmpdir(), "exo-native-bad-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const good = tinyGguf();
const WHOLE: Range = [0, 4, true];

function write(bytes: Uint8Array, name = "model.gguf"): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

function changed(metadata: Record<string, GgufValue>, tensors: readonly GgufTensor[] = tinyTensors()): Buffer {
  return encodeGguf({ ...tinyMetadata(), ...metadata }, tensors);
}

async function rejects(path: string, code: string, message: RegExp, range = WHOLE, extras: StageExtras = {}) {
  await assert.rejects(loadRange(path, range, extras), (error: unknown) => {
    assert.ok(error instanceof ExoError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.message, /\.$/, "a whole sentence");
    return true;
  });
  assert.equal(nativeCounters().stages, 0);
}

describe("a damaged model file is refused, naming what is wrong", () => {
  test("no such file", () => rejects(join(directory, "absent.gguf"), "invalid_model", /no model file at .*absent/));

  test("a directory", async () => {
    mkdirSync(join(directory, "folder.gguf"));
    await rejects(join(directory, "folder.gguf"), "invalid_model", /not a file/);
  });

  test("an empty file", () => rejects(write(Buffer.alloc(0)), "invalid_model", /not a GGUF/));

  test("another kind of file", () => rejects(write(Buffer.from("%PDF-1.7 …")), "invalid_model", /not a GGUF.*%PDF/));

  test("a header cut short", () =>
    rejects(write(good.subarray(0, 500)), "invalid_model", /not a GGUF file, or is damaged/));

  test("tensors cut short", () =>
    rejects(write(good.subarray(0, good.length - 5000)), "invalid_model", /cut short: tensor .* needs bytes/));

  test("a tensor elsewhere than where it must be", async () => {
    const bytes = Buffer.from(good);
    // the offset is the last 8 bytes of the first tensor's entry: name, dimensions, shape, type, offset
    const entry = bytes.indexOf("token_embd.weight") + "token_embd.weight".length;
    bytes.writeBigUInt64LE(2n ** 62n, entry + 4 + 2 * 8 + 4);
    await rejects(write(bytes), "invalid_model", /token_embd/);
  });

  test("a tensor is missing", () => {
    const tensors = tinyTensors().filter(({ name }) => name !== "blk.2.ffn_up.weight");
    return rejects(write(changed({}, tensors)), "invalid_model", /blk\.2\.ffn_up/);
  });

  test("a tensor has another shape", () => {
    const tensors = tinyTensors().map((tensor) =>
      tensor.name === "blk.1.attn_q.weight" ? { ...tensor, shape: [32, 128] } : tensor,
    );
    return rejects(write(changed({}, tensors)), "invalid_model", /attn_q.*shape/);
  });

  test("one part of several", () =>
    rejects(
      write(changed({ "split.count": { type: "u32", value: 3 } }), "model-00001-of-00003.gguf"),
      "invalid_model",
      /no model file at .*00002-of-00003/,
    ));

  test("the architecture is not named", () =>
    rejects(write(changed({ "general.architecture": { type: "u32", value: 7 } })), "invalid_model", /architecture/));

  test("the architecture is unknown", () => {
    const bytes = tinyGguf({ architecture: "megabrain" });
    return rejects(write(bytes), "invalid_model", /megabrain/);
  });

  for (const [name, metadata] of [
    ["no layers", { "llama.block_count": { type: "u32", value: 0 } }],
    ["a million layers", { "llama.block_count": { type: "u32", value: 1_000_000 } }],
    ["no heads", { "llama.attention.head_count": { type: "u32", value: 0 } }],
    ["more key heads than can be", { "llama.attention.head_count_kv": { type: "u32", value: 4_000_000_000 } }],
    ["a text where a number belongs", { "llama.embedding_length": { type: "string", value: "many" } }],
    ["more experts than there are", { "llama.expert_used_count": { type: "u32", value: 9 } }],
  ] satisfies [string, Record<string, GgufValue>][]) {
    test(`settings that cannot be: ${name}`, async () => {
      await assert.rejects(loadRange(write(changed(metadata)), WHOLE), ExoError);
    });
  }
});

describe("what does not fit is refused with both numbers", () => {
  test("a range outside the model", async () => {
    const path = write(good);
    await rejects(path, "invalid_argument", /Layers 0-40 were asked for, but the model has 4/, [0, 40, false]);
    await rejects(path, "invalid_argument", /output head.*after layer 2.*last layer, 4/, [0, 2, true]);
    await rejects(path, "invalid_argument", /are none/, [2, 2, false]);
    await rejects(path, "invalid_argument", /0 <= begin <= end/, [3, 2, false]);
    await rejects(path, "invalid_argument", /0 <= begin <= end/, [-1, 2, false]);
  });

  test("more memory than there is", async () => {
    const path = write(good);
    await rejects(path, "out_of_memory", /KV cache for 1000000000 tokens.*free/, WHOLE, { contextSize: 1e9 });
    // 1 KiB per token in f32: too much by far, but not so much that it is seen at once
    const contextSize = 48 * 2 ** 20;
    await rejects(path, "out_of_memory", /needs .*GiB on CPU.*free/, WHOLE, {
      contextSize,
      kvTypeK: "f32",
      kvTypeV: "f32",
    });
  });

  test("settings by name", async () => {
    const path = write(good);
    await rejects(path, "invalid_argument", /devices \(CPU.*"Quantum0"/, WHOLE, { devices: ["Quantum0"] });
    await rejects(path, "invalid_argument", /params\.threads/, WHOLE, { threads: 0 });
    await rejects(path, "invalid_argument", /params\.max_sequences/, WHOLE, { maxSequences: 100_000 });
    await rejects(path, "invalid_argument", /params\.micro_batch_size/, WHOLE, { microBatchSize: 65 });
    await rejects(path, "invalid_argument", /flash attention/, WHOLE, { kvTypeV: "q8_0", flashAttention: "off" });
  });
});

test("any byte of a header may be wrong: the model loads or is refused, and the process lives", async () => {
  const headerEnd = good.indexOf("output.weight") + 64;
  for (let trial = 0; trial < 150; ++trial) {
    const bytes = Buffer.from(good);
    for (let change = 0; change < 1 + (trial % 3); ++change) {
      const at = (trial * 7919 + change * 104_729) % headerEnd;
      bytes.writeUInt8((trial * 31 + change * 97 + 128) % 256, at);
    }
    try {
      await (await loadRange(write(bytes, `mutant-${trial}.gguf`), [0, 2, false])).close();
    } catch (error) {
      assert.ok(error instanceof ExoError, `trial ${trial}: ${error}`);
    }
  }
  await (await loadRange(write(good), WHOLE)).close();
});
