import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ErrorCode } from "../../src/core/errors.js";
import type { NativeBatch, NativeStageParams, StageHandle } from "../../src/native/bindings.js";
import { loadBindings } from "../../src/native/load.js";
import { encodeRows, type Row } from "../../src/native/micro-batch.js";
import type { MicroBatch, Stage } from "../../src/native/stage.js";
import { toNativeStageParams } from "../../src/native/stage-options.js";
import { loadRange, rowsOf, someTokens } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const tiny = writeTinyModel();
let whole: Stage;
let second: Stage;
let wayBack: Stage;

before(async () => {
  whole = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2, maxOutputs: 2 });
  second = await loadRange(tiny.path, [2, 4, false]);
  wayBack = await loadRange(tiny.path, [4, 4, true]);
});
after(async () => {
  await Promise.all([whole.close(), second.close(), wayBack.close()]);
  tiny.remove();
});

const row = (change: Partial<Row>): Row => ({ sequence: 0, position: 0, token: 5, output: false, ...change });

describe("a malformed micro-batch is refused, and the stage goes on", () => {
  const cases: readonly [string, () => Stage, () => MicroBatch, ErrorCode, RegExp][] = [
    ["a row cut short", () => whole, () => ({ rows: new Uint8Array(17) }), "bad_frame", /12 bytes each.*17/],
    [
      "more rows than the stage takes",
      () => whole,
      () => ({ rows: encodeRows(Array.from({ length: 65 }, (_, position) => row({ position }))) }),
      "invalid_argument",
      /65 rows.*64/,
    ],
    [
      "more outputs than the stage is set up for",
      () => whole,
      () => ({ rows: encodeRows(rowsOf(someTokens(3))) }),
      "invalid_argument",
      /3 rows.*2/,
    ],
    [
      "a sequence that is not there",
      () => whole,
      () => ({ rows: encodeRows([row({ sequence: 2 })]) }),
      "invalid_argument",
      /sequence 2.*0 to 1/,
    ],
    [
      "a position before the start",
      () => whole,
      () => ({ rows: encodeRows([row({ position: -1 })]) }),
      "invalid_argument",
      /position -1/,
    ],
    [
      "a position past the context",
      () => whole,
      () => ({ rows: encodeRows([row({ position: 256 })]) }),
      "context_exceeded",
      /256.*context of 256/,
    ],
    [
      "a position that does not follow the sequence's last",
      () => whole,
      () => ({ rows: encodeRows([row({ position: 7 })]) }),
      "invalid_argument",
      /positions remain consecutive/,
    ],
    [
      "a gap in the positions",
      () => whole,
      () => ({ rows: encodeRows([row({ position: 1 }), row({ position: 3 })]) }),
      "invalid_argument",
      /not continuous/,
    ],
    [
      "a token outside the vocabulary",
      () => whole,
      () => ({ rows: encodeRows([row({ token: 354 })]) }),
      "invalid_argument",
      /354/,
    ],
    [
      "hidden states where tokens belong",
      () => whole,
      () => ({ rows: encodeRows([row({})]), activations: new Uint8Array(256) }),
      "invalid_argument",
      /embedding/,
    ],
    ["no hidden states", () => second, () => ({ rows: encodeRows([row({})]) }), "invalid_argument", /hidden states/],
    [
      "too few hidden states",
      () => second,
      () => ({ rows: encodeRows([row({})]), activations: new Uint8Array(255) }),
      "bad_frame",
      /256 bytes, but 255/,
    ],
    [
      "hidden states of another type",
      () => wayBack,
      () => ({ rows: encodeRows([row({})]), activations: new Uint8Array(256), activationType: "f16" as const }),
      "bad_frame",
      /128 bytes, but 256/,
    ],
    [
      "logits of a stage without the output head",
      () => second,
      () => ({ rows: encodeRows([row({})]), activations: new Uint8Array(256), wantLogits: true }),
      "invalid_argument",
      /output head/,
    ],
    [
      "head room beyond reason",
      () => second,
      () => ({ rows: encodeRows([row({})]), activations: new Uint8Array(256), resultHeadRoom: 2 ** 30 }),
      "invalid_argument",
      /head room/,
    ],
    [
      "half a KV operation",
      () => whole,
      () => ({ rows: new Uint8Array(0), kvOperations: new Int32Array(5) }),
      "bad_frame",
      /6 numbers/,
    ],
    [
      "an unknown KV operation",
      () => whole,
      () => ({ rows: new Uint8Array(0), kvOperations: Int32Array.of(9, 0, 0, 0, -1, 0) }),
      "bad_frame",
      /operation 9/,
    ],
    [
      "a KV operation on a sequence that is not there",
      () => whole,
      () => ({ rows: new Uint8Array(0), kvOperations: Int32Array.of(0, 5, 0, 0, -1, 0) }),
      "invalid_argument",
      /sequence 5/,
    ],
  ];
  for (const [name, stage, batch, code, message] of cases) {
    test(name, async () => {
      await assert.rejects(stage().decode(batch()), { name: "ExoError", code, message });
      const activations = stage() === whole ? {} : { activations: new Uint8Array(256) };
      const kvOperations = Int32Array.of(0, -1, 0, 0, -1, 0);
      await stage().decode({ rows: encodeRows([row({})]), kvOperations, ...activations });
    });
  }

  test("a row to sample that has no output", async () => {
    const sampler = whole.createSampler();
    const rows = encodeRows([row({})]);
    await assert.rejects(whole.decode({ rows, samples: [{ row: 0, sampler, logprobs: 0 }] }), /rows with output/);
    await assert.rejects(whole.decode({ rows, samples: [{ row: 7, sampler, logprobs: 0 }] }), /rows with output/);
    sampler.close();
  });

  test("a full cache", async () => {
    const shared = await loadRange(tiny.path, [0, 4, true], { maxSequences: 2, kvUnified: true });
    const fill = (sequence: number) =>
      shared.decode({ rows: encodeRows(rowsOf(someTokens(64), 0, sequence).map((r) => ({ ...r, output: false }))) });
    await fill(0);
    for (const from of [64, 128]) {
      await shared.decode({ rows: encodeRows(rowsOf(someTokens(64), from).map((r) => ({ ...r, output: false }))) });
    }
    await fill(1);
    await assert.rejects(shared.decode({ rows: encodeRows([row({ position: 192 })]) }), {
      code: "context_exceeded",
      message: /no room for 1 more/,
    });
    await shared.close();
  });

  test("infinite hidden states give an answer, not a crash", async () => {
    const activations = new Uint8Array(new Float32Array(64).fill(Number.NaN).buffer);
    const sampler = wayBack.createSampler({ temperature: 1 });
    const rows = encodeRows([row({ output: true })]);
    const { samples } = await wayBack.decode({ rows, activations, samples: [{ row: 0, sampler, logprobs: 3 }] });
    assert.equal(samples.length, 1);
    sampler.close();
  });
});

describe("the addon itself refuses what the types forbid", () => {
  const bindings = loadBindings();
  const params = toNativeStageParams({ modelPath: tiny.path, layerBegin: 0, layerEnd: 4, hasOutput: true });
  /** What a caller without types could send. */
  const untyped = <Type>(value: unknown): Type => value as Type;

  for (const field of Object.keys(params)) {
    test(`params.${field} absent`, async () => {
      const handle = bindings.stage_create();
      const incomplete = untyped<NativeStageParams>({ ...params, [field]: undefined });
      await assert.rejects(
        bindings.stage_load(handle, incomplete, () => {}),
        { code: "invalid_argument", message: new RegExp(`params\\.${field}, received undefined`) },
      );
      await bindings.stage_close(handle);
    });
  }

  test("numbers that are none", async () => {
    for (const layer_end of [1.5, Number.NaN, "4", 2 ** 40, null]) {
      const handle = bindings.stage_create();
      await assert.rejects(
        bindings.stage_load(handle, untyped<NativeStageParams>({ ...params, layer_end }), () => {}),
        { code: "invalid_argument", message: /params\.layer_end/ },
      );
      await bindings.stage_close(handle);
    }
  });

  test("a handle of another kind", () => {
    const sampler = whole.createSampler();
    for (const handle of [undefined, null, {}, 5, sampler.handle]) {
      assert.throws(() => bindings.stage_memory(untyped<StageHandle>(handle)), {
        code: "invalid_argument",
        message: /Expected a stage handle for stage/,
      });
    }
    sampler.close();
  });

  test("a stage that is not loaded, one that is loaded twice, and a closed one", async () => {
    const handle = bindings.stage_create();
    assert.throws(() => bindings.stage_memory(handle), { code: "not_ready" });
    assert.throws(() => bindings.tokenize(handle, "a", false, false), { code: "not_ready" });
    await bindings.stage_load(handle, params, () => {});
    await assert.rejects(
      bindings.stage_load(handle, params, () => {}),
      { code: "invalid_argument" },
    );
    await bindings.stage_close(handle);
    await bindings.stage_close(handle);
    assert.throws(() => bindings.stage_memory(handle), { code: "cancelled", message: /closed/ });
    await assert.rejects(bindings.stage_decode(handle, untyped<NativeBatch>({})), { code: "cancelled" });
  });
});
