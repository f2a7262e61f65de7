import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ExoError } from "../../src/core/errors.js";
import { MoreBytesNeeded } from "../../src/model/gguf-cursor.js";
import { type GgufHeader, parseGgufHeader } from "../../src/model/gguf-header.js";
import { ggufFile, ggufHeader, TINY_METADATA, TINY_TENSORS, text, tinyModel, u32, u64 } from "./model-gguf-builder.js";

function parse(bytes: Buffer): GgufHeader {
  return parseGgufHeader(bytes, bytes.length, "x.gguf");
}

function refusal(bytes: Buffer): string {
  try {
    parse(bytes);
  } catch (thrown) {
    assert.ok(thrown instanceof ExoError, String(thrown));
    assert.equal(thrown.code, "invalid_model");
    assert.match(thrown.message, /^x\.gguf cannot be used as a model: .+\.$/);
    return thrown.message;
  }
  return assert.fail("the file was accepted");
}

/** A header of these counts and then these bytes. */
function raw(tensors: number | bigint, entries: number | bigint, ...rest: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from("GGUF"), u32(3), u64(tensors), u64(entries), ...rest]);
}

describe("a well-formed header", () => {
  const file = tinyModel();
  const header = parse(file);

  test("gives metadata of every kind", () => {
    assert.equal(header.metadata.get("general.architecture"), "llama");
    assert.equal(header.metadata.get("llama.block_count"), 2);
    assert.deepEqual(header.metadata.get("tokenizer.ggml.tokens"), { length: 3, values: ["a", "b", "c"] });
  });

  test("gives each tensor's place and size", () => {
    const [embedding] = header.tensors;
    assert.deepEqual(embedding, {
      name: "token_embd.weight",
      type: "F32",
      elements: 24,
      rowElements: 8,
      rows: 3,
      offset: header.dataOffset,
      bytes: 96,
    });
    const packed = header.tensors.find(({ name }) => name === "blk.0.ffn_up.weight");
    assert.deepEqual([packed?.type, packed?.bytes], ["Q8_0", 68]);
    const last = header.tensors.at(-1);
    assert.equal((last?.offset ?? 0) + (last?.bytes ?? 0), file.length);
  });

  test("keeps no long lists", () => {
    const tokens = Array.from({ length: 5000 }, (_, index) => `token ${index}`);
    const scores = Array.from({ length: 5000 }, (_, index) => index);
    const long = parse(ggufFile({ ...TINY_METADATA, "tokenizer.ggml.tokens": tokens, scores }, TINY_TENSORS));
    assert.deepEqual(long.metadata.get("tokenizer.ggml.tokens"), { length: 5000, values: null });
    assert.deepEqual(long.metadata.get("scores"), { length: 5000, values: null });
    assert.equal(long.tensors.length, TINY_TENSORS.length);
  });

  test("asks for more where the file goes on beyond the bytes at hand", () => {
    for (const cut of [1, 30, 200, 400]) {
      assert.throws(() => parseGgufHeader(file.subarray(0, cut), file.length, "x.gguf"), MoreBytesNeeded);
    }
  });
});

describe("what cannot be a model", () => {
  test("empty, or something else", () => {
    assert.match(refusal(Buffer.alloc(0)), /it is empty/);
    assert.match(refusal(Buffer.from("<!doctype html><html></html>")), /not a GGUF file/);
    assert.match(refusal(Buffer.from("GG")), /not a GGUF file/);
    assert.match(refusal(Buffer.concat([Buffer.from("GGUF"), u32(1), u64(0), u64(0)])), /version 1 is not 2 or 3/);
  });

  test("truncated in its header, at any byte", () => {
    const header = ggufHeader(TINY_METADATA, TINY_TENSORS);
    for (let length = 0; length < header.length; length += 7) refusal(header.subarray(0, length));
  });

  test("truncated in its data, naming the tensor", () => {
    const file = tinyModel();
    assert.match(refusal(file.subarray(0, file.length - 1)), /truncated, tensor "blk\.1\.attn_q\.weight" ends at byte/);
  });

  test("claims that no file of its size can hold, at once", () => {
    assert.match(refusal(raw(0, 2n ** 40n)), /claims 1099511627776 metadata entries/);
    assert.match(refusal(raw(2n ** 63n, 1)), /claims \d+ tensors/);
    assert.match(refusal(raw(0, 1, u64(2n ** 62n), Buffer.alloc(20))), /bytes of text/);
    assert.match(refusal(raw(0, 1, text("k"), u32(9), u32(4), u64(2n ** 50n))), /list items/);
  });

  test("entries that make no sense", () => {
    assert.match(refusal(raw(0, 1, text("key"), u32(77), u64(0))), /"key" is of the unknown type 77/);
    assert.match(refusal(raw(0, 1, text("key"), u32(9), u32(9), u64(1), u64(0))), /the list "key" has items/);
    const twice = Buffer.concat([text("k"), u32(7), Buffer.from([1])]);
    assert.match(refusal(raw(0, 2, twice, twice)), /duplicate/);
    assert.match(refusal(ggufFile({ ...TINY_METADATA, "general.alignment": 3 }, TINY_TENSORS)), /power of two/);
  });

  test("tensors that make no sense", () => {
    const withTensor = (tensor: (typeof TINY_TENSORS)[number]): Buffer =>
      ggufFile(TINY_METADATA, [...TINY_TENSORS, { bytes: 32, ...tensor }]);
    assert.match(refusal(withTensor({ name: "t", dimensions: [8], offset: 32 })), /"t" is not where it should be/);
    assert.match(refusal(withTensor({ name: "t", dimensions: [8], type: 99 })), /unknown number format 99/);
    assert.match(refusal(withTensor({ name: "t", dimensions: [33], type: 8 })), /Q8_0 cannot pack/);
    assert.match(refusal(withTensor({ name: "t", dimensions: [1, 1, 1, 1, 1] })), /5 dimensions/);
    assert.match(refusal(withTensor({ name: "t", dimensions: [2 ** 40, 2 ** 40] })), /impossible shape/);
    assert.match(refusal(withTensor({ name: "n".repeat(64), dimensions: [8] })), /64 characters/);
    assert.match(refusal(withTensor({ name: "output.weight", dimensions: [8] })), /same name/);
    assert.match(refusal(withTensor({ name: "t", dimensions: [2 ** 20] })), /truncated/);
  });

  test("any damage gives a header, a refusal, or a wish for more, and never anything else", () => {
    const file = tinyModel();
    const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(damage, fc.nat(file.length), (changes, cut) => {
        const damaged = Buffer.from(file);
        for (const [at, value] of changes) damaged[at] = value;
        try {
          parseGgufHeader(damaged.subarray(0, cut), file.length, "x.gguf");
        } catch (thrown) {
          assert.ok(thrown instanceof MoreBytesNeeded || thrown instanceof ExoError, String(thrown));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
