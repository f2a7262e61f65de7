import { ExoError, isErrorCode } from "../core/errors.js";
import { ACTIVATION_TYPES, activationRowBytes } from "../native/activation.js";
import {
  KV_OPERATION,
  KV_OPERATION_NUMBERS,
  type NativeActivationType,
  ROW_BYTES,
  ROW_OUTPUT,
} from "../native/bindings.js";
import type { BatchFrame, ErrorFrame, Frame, FrameLimits, StageTimes } from "./frame.js";
import {
  ACTIVATION_TYPE_NUMBERS,
  FRAME_FLAG_ERROR,
  FRAME_HEADER,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_VERSION,
  MAX_ERROR_BYTES,
  payloadOffset,
  STAGE_TIMES_BYTES,
} from "./frame-layout.js";

type HeaderField = keyof typeof FRAME_HEADER;
type Header = Readonly<Record<HeaderField, number>>;

/**
 * Reads a frame without copying it. Every count, length and offset is held against `limits` and against the bytes that
 * are there before anything is made of it; what does not fit throws `bad_frame` naming the field.
 */
export function decodeFrame(bytes: Uint8Array, limits: FrameLimits): Frame {
  const header = readHeader(bytes);
  return (header.flags & FRAME_FLAG_ERROR) !== 0 ? errorFrame(bytes, header) : batchFrame(bytes, header, limits);
}

/** The epoch of a frame, after checking only that the bytes are a frame of this version. */
export function frameEpoch(bytes: Uint8Array): number {
  requireHeader(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  requireEqual("magic", view.getUint32(FRAME_HEADER.magic.offset, true), FRAME_MAGIC);
  requireEqual("version", view.getUint8(FRAME_HEADER.version.offset), FRAME_VERSION);
  return view.getUint32(FRAME_HEADER.epoch.offset, true);
}

function requireHeader(bytes: Uint8Array): void {
  if (bytes.byteLength < FRAME_HEADER_BYTES) refuse("length", bytes.byteLength, `${FRAME_HEADER_BYTES} bytes or more`);
}

function readHeader(bytes: Uint8Array): Header {
  requireHeader(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  const u8 = (field: HeaderField) => view.getUint8(FRAME_HEADER[field].offset);
  const u16 = (field: HeaderField) => view.getUint16(FRAME_HEADER[field].offset, true);
  const u32 = (field: HeaderField) => view.getUint32(FRAME_HEADER[field].offset, true);
  const header: Header = {
    magic: u32("magic"),
    version: u8("version"),
    activationType: u8("activationType"),
    flags: u16("flags"),
    epoch: u32("epoch"),
    microBatch: u32("microBatch"),
    rowCount: u32("rowCount"),
    embeddingSize: u32("embeddingSize"),
    kvOperationCount: u32("kvOperationCount"),
    payloadOffset: u32("payloadOffset"),
    payloadBytes: u32("payloadBytes"),
    computeMicroseconds: u32("computeMicroseconds"),
    queueMicroseconds: u32("queueMicroseconds"),
    fromStage: u16("fromStage"),
    stageCount: u16("stageCount"),
  };
  requireEqual("magic", header.magic, FRAME_MAGIC);
  requireEqual("version", header.version, FRAME_VERSION);
  requireAtMost("flags", header.flags, FRAME_FLAG_ERROR);
  return header;
}

function errorFrame(bytes: Uint8Array, header: Header): ErrorFrame {
  requireEqual("activationType", header.activationType, 0);
  requireEqual("rowCount", header.rowCount, 0);
  requireEqual("embeddingSize", header.embeddingSize, 0);
  requireEqual("kvOperationCount", header.kvOperationCount, 0);
  requireEqual("stageCount", header.stageCount, 0);
  requireAtMost("payloadBytes", header.payloadBytes, MAX_ERROR_BYTES);
  requirePayload(bytes, header);
  const text = new TextDecoder().decode(bytes.subarray(header.payloadOffset));
  const newline = text.indexOf("\n");
  if (newline < 0) refuse("payload", "one line", "an error code, a line feed and a message");
  const code = text.slice(0, newline);
  const { epoch, microBatch, fromStage } = header;
  const error = new ExoError(isErrorCode(code) ? code : "internal", text.slice(newline + 1));
  return { kind: "error", epoch, microBatch, fromStage, error };
}

function batchFrame(bytes: Uint8Array, header: Header, limits: FrameLimits): BatchFrame {
  const { epoch, microBatch, fromStage, rowCount, embeddingSize, kvOperationCount } = header;
  const activationType = toActivationType(header.activationType, limits.embeddingSize);
  requireEqual("embeddingSize", embeddingSize, limits.embeddingSize);
  requireAtMost("rowCount", rowCount, limits.maxRows);
  requireAtMost("kvOperationCount", kvOperationCount, limits.maxKvOperations);
  requireAtMost("stageCount", header.stageCount, limits.maxStages);
  requireEqual("payloadBytes", header.payloadBytes, rowCount * activationRowBytes(activationType, embeddingSize));
  requirePayload(bytes, header);
  const kvOffset = FRAME_HEADER_BYTES + rowCount * ROW_BYTES;
  const rows = bytes.subarray(FRAME_HEADER_BYTES, kvOffset);
  const kvOperations = int32View(bytes, kvOffset, kvOperationCount * KV_OPERATION_NUMBERS);
  checkRows(rows, limits);
  checkKvOperations(kvOperations, limits);
  return {
    kind: "batch",
    epoch,
    microBatch,
    fromStage,
    activationType,
    embeddingSize,
    rowCount,
    rows,
    kvOperations,
    activations: bytes.subarray(header.payloadOffset),
    computeMicroseconds: header.computeMicroseconds,
    queueMicroseconds: header.queueMicroseconds,
    stages: readStages(bytes, kvOffset + kvOperations.byteLength, header.stageCount),
  };
}

/** The payload is where the tables say, and ends where the frame ends. */
function requirePayload(bytes: Uint8Array, header: Header): void {
  const offset = payloadOffset(header.rowCount, header.kvOperationCount, header.stageCount);
  requireEqual("payloadOffset", header.payloadOffset, offset);
  requireEqual("length", bytes.byteLength, offset + header.payloadBytes);
}

function toActivationType(number: number, embeddingSize: number): NativeActivationType {
  const blocks = embeddingSize % 32 === 0;
  const type = ACTIVATION_TYPES.find((candidate) => ACTIVATION_TYPE_NUMBERS[candidate] === number);
  if (type === undefined || (type === "q8_0" && !blocks)) {
    return refuse("activationType", number, blocks ? "0 (f32), 1 (f16) or 2 (q8_0)" : "0 (f32) or 1 (f16)");
  }
  return type;
}

/** In place where the bytes are 4-byte aligned, as our own hop delivers them; else a copy of the (small) table. */
function int32View(bytes: Uint8Array, offset: number, count: number): Int32Array {
  const start = bytes.byteOffset + offset;
  if (start % 4 === 0) return new Int32Array(bytes.buffer, start, count);
  // A Buffer's own slice() is a view of its pool, so the bytes are copied by hand.
  const copy = new Uint8Array(count * 4);
  copy.set(bytes.subarray(offset, offset + count * 4));
  return new Int32Array(copy.buffer);
}

function readStages(bytes: Uint8Array, offset: number, count: number): StageTimes[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * STAGE_TIMES_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const at = index * STAGE_TIMES_BYTES;
    return {
      computeMicroseconds: view.getUint32(at, true),
      queueMicroseconds: view.getUint32(at + 4, true),
      arrivedMicroseconds: view.getUint32(at + 8, true),
      leftMicroseconds: view.getUint32(at + 12, true),
    };
  });
}

function checkRows(rows: Uint8Array, limits: FrameLimits): void {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  for (let at = 0; at < rows.byteLength; at += ROW_BYTES) {
    requireAtMost("row sequence", view.getUint16(at, true), limits.maxSequences - 1);
    requireAtMost("row flags", view.getUint16(at + 2, true), ROW_OUTPUT);
    if (view.getInt32(at + 4, true) < 0) refuse("row position", view.getInt32(at + 4, true), "0 or more");
  }
}

function checkKvOperations(numbers: Int32Array, limits: FrameLimits): void {
  for (let at = 0; at < numbers.length; at += KV_OPERATION_NUMBERS) {
    const [op = -1, sequence = -1, destination = -1] = numbers.subarray(at, at + 3);
    if (op < 0 || op > KV_OPERATION.add) refuse("KV operation", op, `0 to ${KV_OPERATION.add}`);
    const least = op === KV_OPERATION.remove ? -1 : 0;
    if (sequence < least || sequence >= limits.maxSequences) {
      refuse("KV operation's sequence", sequence, `${least} to ${limits.maxSequences - 1}`);
    }
    if (destination < 0 || destination >= limits.maxSequences) {
      refuse("KV operation's destination", destination, `0 to ${limits.maxSequences - 1}`);
    }
  }
}

function requireEqual(field: string, got: number, expected: number): void {
  if (got !== expected) refuse(field, got, String(expected));
}

function requireAtMost(field: string, got: number, most: number): void {
  if (got > most) refuse(field, got, `at most ${most}`);
}

function refuse(field: string, got: number | string, allowed: string): never {
  throw new ExoError("bad_frame", `A frame was refused: its ${field} is ${got}; allowed: ${allowed}.`);
}
