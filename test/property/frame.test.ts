import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ERROR_CODES, type ErrorCode, ExoError } from "../../src/core/errors.js";
import { ACTIVATION_TYPES, activationRowBytes } from "../../src/native/activation.js";
import { KV_OPERATION_NUMBERS, ROW_BYTES } from "../../src/native/bindings.js";
import { encodeKvOperations, encodeRows, type KvOperation } from "../../src/native/micro-batch.js";
import {
  type FrameFields,
  type FrameLimits,
  frameHeadRoom,
  largestFrameBytes,
  type OutgoingFrame,
} from "../../src/transport/frame.js";
import { decodeFrame } from "../../src/transport/frame-decode.js";
import { encodeErrorFrame, encodeFrame } from "../../src/transport/frame-encode.js";
import { ENVELOPE_BYTES, readEnvelope } from "../../src/transport/hop-envelope.js";

const LIMITS: FrameLimits = { embeddingSize: 64, maxRows: 6, maxKvOperations: 3, maxSequences: 4, maxStages: 3 };

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const sequence = fc.integer({ min: 0, max: LIMITS.maxSequences - 1 });
const position = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

const row = fc.record({ sequence, position, token: i32, output: fc.boolean() });
const to = fc.option(position, { nil: null });
const kvOperation: fc.Arbitrary<KvOperation> = fc.oneof(
  fc.record({ op: fc.constant("remove" as const), sequence: fc.option(sequence, { nil: null }), from: position, to }),
  fc.record({ op: fc.constant("copy" as const), sequence, destination: sequence, from: position, to }),
  fc.record({ op: fc.constant("keep" as const), sequence }),
  fc.record({ op: fc.constant("add" as const), sequence, from: position, to, delta: i32 }),
);

const stage = fc.record(
  {
    computeMicroseconds: u32,
    queueMicroseconds: u32,
    arrivedMicroseconds: u32,
    leftMicroseconds: u32,
  },
  { noNullPrototype: true },
);

interface Sample {
  readonly fields: FrameFields;
  readonly activations: Uint8Array;
  /** Head room beyond what is needed, in units of 64. */
  readonly spare: number;
}

const sample: fc.Arbitrary<Sample> = fc
  .record({
    rows: fc.array(row, { maxLength: LIMITS.maxRows }),
    kvOperations: fc.array(kvOperation, { maxLength: LIMITS.maxKvOperations }),
    activationType: fc.constantFrom(...ACTIVATION_TYPES),
    epoch: u32,
    microBatch: u32,
    fromStage: fc.integer({ min: 0, max: 0xffff }),
    computeMicroseconds: u32,
    queueMicroseconds: u32,
    stages: fc.array(stage, { maxLength: LIMITS.maxStages }),
    seed: fc.integer({ min: 0, max: 255 }),
    spare: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ rows, kvOperations, seed, spare, ...rest }) => ({
    fields: {
      ...rest,
      embeddingSize: LIMITS.embeddingSize,
      rows: encodeRows(rows),
      kvOperations: encodeKvOperations(kvOperations),
    },
    activations: Uint8Array.from(
      { length: rows.length * activationRowBytes(rest.activationType, LIMITS.embeddingSize) },
      (_, index) => (seed + index * 31) & 0xff,
    ),
    spare,
  }));

/** As a stage does it: the hidden states are already behind the head room, which holds what was there before. */
function encode({ fields, activations, spare }: Sample): OutgoingFrame {
  const rows = fields.rows.byteLength / ROW_BYTES;
  const kvOperations = fields.kvOperations.length / KV_OPERATION_NUMBERS;
  const headRoom = frameHeadRoom(rows, kvOperations, fields.stages.length) + 64 * spare;
  const storage = new Uint8Array(headRoom + activations.byteLength).fill(0xee);
  storage.set(activations, headRoom);
  return encodeFrame(fields, storage, headRoom);
}

/** Either a frame within the limits, or `bad_frame`; anything else fails. */
function decodesOrRefuses(bytes: Uint8Array): void {
  try {
    const frame = decodeFrame(bytes, LIMITS);
    if (frame.kind === "error") return;
    assert.ok(frame.rowCount <= LIMITS.maxRows);
    assert.equal(frame.rows.byteLength, frame.rowCount * ROW_BYTES);
    assert.ok(frame.kvOperations.length <= LIMITS.maxKvOperations * KV_OPERATION_NUMBERS);
    assert.equal(frame.embeddingSize, LIMITS.embeddingSize);
    assert.ok(frame.stages.length <= LIMITS.maxStages);
    assert.equal(
      frame.activations.byteLength,
      frame.rowCount * activationRowBytes(frame.activationType, frame.embeddingSize),
    );
    assert.equal(frame.activations.buffer, bytes.buffer, "activations are a view");
  } catch (thrown) {
    if (!(thrown instanceof ExoError) || thrown.code !== "bad_frame") throw thrown;
    assert.match(thrown.message, /^A frame was refused: its .+ is .+; allowed: .+\.$/);
  }
}

describe("frame codec", () => {
  test("is read alike wherever it lies in its memory, a pool of Node's too", () => {
    fc.assert(
      fc.property(sample, fc.integer({ min: 0, max: 7 }), (given, offset) => {
        const { frame } = encode(given);
        const pool = Buffer.allocUnsafe(frame.byteLength + 8).fill(0xee);
        pool.set(frame, offset);
        const decoded = decodeFrame(pool.subarray(offset, offset + frame.byteLength), LIMITS);
        assert.ok(decoded.kind === "batch");
        assert.deepEqual([...decoded.kvOperations], [...given.fields.kvOperations]);
        assert.deepEqual([...decoded.rows], [...given.fields.rows]);
      }),
    );
  });

  test("what is encoded is what is decoded, in place", () => {
    fc.assert(
      fc.property(sample, (given) => {
        const { frame, message } = encode(given);
        assert.deepEqual(readEnvelope(message), frame);
        const decoded = decodeFrame(frame, LIMITS);
        assert.ok(decoded.kind === "batch");
        const { activations, rowCount, kind: _, ...fields } = decoded;
        assert.deepEqual({ ...fields, rows: [...fields.rows] }, { ...given.fields, rows: [...given.fields.rows] });
        assert.equal(rowCount, given.fields.rows.byteLength / ROW_BYTES);
        assert.deepEqual([...activations], [...given.activations]);
        assert.equal((activations.byteOffset - frame.byteOffset) % 16, 0);
        assert.ok(frame.byteLength <= largestFrameBytes(LIMITS));
      }),
      { numRuns: 300 },
    );
  });

  test("nothing of what the storage held before is sent", () => {
    fc.assert(
      fc.property(sample, (given) => {
        const { frame } = encode(given);
        const { rows, kvOperations, stages } = given.fields;
        const tables = 48 + rows.byteLength + kvOperations.byteLength + 16 * stages.length;
        const gap = frame.subarray(tables, frame.byteLength - given.activations.byteLength);
        assert.ok(gap.every((byte) => byte === 0));
      }),
    );
  });

  test("an error arrives with its code and message", () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[];
    fc.assert(
      fc.property(
        fc.constantFrom(...codes),
        fc.string({ unit: "grapheme", maxLength: 3000 }),
        u32,
        (code, text, id) => {
          const origin = { epoch: 3, microBatch: id, fromStage: 2 };
          const { frame } = encodeErrorFrame(origin, new ExoError(code, text));
          const decoded = decodeFrame(frame, LIMITS);
          assert.ok(decoded.kind === "error");
          assert.equal(decoded.microBatch, id);
          assert.equal(decoded.error.code, code);
          assert.ok(text.startsWith(decoded.error.message));
          assert.ok(frame.byteLength <= 64 + 4096);
          if (text.length < 100) assert.equal(decoded.error.message, text);
        },
      ),
    );
  });

  test("every truncation is refused", () => {
    fc.assert(
      fc.property(sample, (given) => {
        const { frame } = encode(given);
        for (let length = 0; length < frame.byteLength; length += 1 + Math.floor(length / 64)) {
          assert.throws(() => decodeFrame(frame.subarray(0, length), LIMITS), { code: "bad_frame" });
        }
      }),
      { numRuns: 30 },
    );
  });

  test("every flipped bit of header and tables gives a frame within the limits, or a refusal", () => {
    fc.assert(
      fc.property(sample, (given) => {
        const { frame } = encode(given);
        const bits = (frame.byteLength - given.activations.byteLength) * 8;
        for (let bit = 0; bit < bits; bit += 1) {
          const damaged = frame.slice();
          damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          decodesOrRefuses(damaged);
        }
      }),
      { numRuns: 15 },
    );
  });

  test("ten thousand frames with random header fields give a frame within the limits, or a refusal", () => {
    const word = fc.oneof(
      u32,
      fc.integer({ min: 0, max: 100 }),
      fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
    );
    const change = fc.record({ at: fc.integer({ min: 1, max: 11 }).map((index) => index * 4), word });
    fc.assert(
      fc.property(sample, fc.array(change, { minLength: 1, maxLength: 4 }), (given, changes) => {
        const damaged = encode(given).frame.slice();
        const view = new DataView(damaged.buffer);
        for (const { at, word: value } of changes) view.setUint32(at, value, true);
        decodesOrRefuses(damaged);
      }),
      { numRuns: 10_000 },
    );
  });

  test("random bytes, also behind a valid magic and at odd addresses", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
        (bytes, magic, shift) => {
          const storage = new Uint8Array(bytes.length + shift);
          storage.set(bytes, shift);
          if (magic && bytes.length >= 8) storage.set([0x45, 0x58, 0x4f, 0x46, 2], shift);
          decodesOrRefuses(storage.subarray(shift));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("a frame at an odd address decodes to the same", () => {
    fc.assert(
      fc.property(sample, fc.integer({ min: 1, max: 3 }), (given, shift) => {
        const { frame } = encode(given);
        const moved = new Uint8Array(frame.byteLength + shift);
        moved.set(frame, shift);
        const [here, there] = [decodeFrame(frame, LIMITS), decodeFrame(moved.subarray(shift), LIMITS)];
        assert.ok(here.kind === "batch" && there.kind === "batch");
        assert.deepEqual([...there.kvOperations], [...here.kvOperations]);
      }),
    );
  });
});

describe("hop message", () => {
  test("random bytes give a view within them, or a refusal", () => {
    const tags = fc.constantFrom(0x0a, 0x12, 0x80, 0xff, 0, 1, 5);
    fc.assert(
      fc.property(fc.array(fc.oneof(tags, fc.integer({ min: 0, max: 255 })), { maxLength: 64 }), (numbers) => {
        const bytes = Uint8Array.from(numbers);
        try {
          const frame = readEnvelope(bytes);
          assert.equal(frame.buffer, bytes.buffer);
        } catch (thrown) {
          if (!(thrown instanceof ExoError) || thrown.code !== "bad_frame") throw thrown;
        }
      }),
      { numRuns: 5_000 },
    );
    assert.equal(ENVELOPE_BYTES, 11);
  });
});
