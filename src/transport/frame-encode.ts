import { ExoError } from "../core/errors.js";
import { activationRowBytes } from "../native/activation.js";
import { KV_OPERATION_NUMBERS, ROW_BYTES } from "../native/bindings.js";
import { type FrameFields, type FrameOrigin, frameHeadRoom, type OutgoingFrame, type StageTimes } from "./frame.js";
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
import { ENVELOPE_BYTES, writeEnvelope } from "./hop-envelope.js";

const U32_MAX = 0xffff_ffff;

/**
 * Makes a frame of the hidden states in `storage[headRoom …]` by writing header, tables and envelope before them: the
 * hidden states are not copied. `headRoom` is at least `frameHeadRoom(rows, kvOperations, stages)`; bytes before the
 * envelope stay untouched.
 */
export function encodeFrame(fields: FrameFields, storage: Uint8Array, headRoom: number): OutgoingFrame {
  const rowCount = fields.rows.byteLength / ROW_BYTES;
  const kvOperationCount = fields.kvOperations.length / KV_OPERATION_NUMBERS;
  const stageCount = fields.stages.length;
  const wanted = frameHeadRoom(rowCount, kvOperationCount, stageCount);
  const payloadBytes = storage.byteLength - headRoom;
  const expected = rowCount * activationRowBytes(fields.activationType, fields.embeddingSize);
  if (!Number.isInteger(rowCount) || !Number.isInteger(kvOperationCount)) {
    throw new ExoError(
      "internal",
      `A frame takes whole rows and KV operations, not ${rowCount} and ${kvOperationCount}.`,
    );
  }
  if (headRoom < wanted || payloadBytes !== expected) {
    throw new ExoError(
      "internal",
      `A frame of ${rowCount} rows takes ${wanted} bytes of head room and ${expected} of hidden states, but ${headRoom} and ${payloadBytes} were given.`,
    );
  }
  const offset = payloadOffset(rowCount, kvOperationCount, stageCount);
  const outgoing = wrap(storage.subarray(headRoom - offset - ENVELOPE_BYTES));
  writeHeader(outgoing.frame, fields, {
    flags: 0,
    activationType: ACTIVATION_TYPE_NUMBERS[fields.activationType],
    rowCount,
    embeddingSize: fields.embeddingSize,
    kvOperationCount,
    payloadOffset: offset,
    payloadBytes,
    computeMicroseconds: saturate(fields.computeMicroseconds),
    queueMicroseconds: saturate(fields.queueMicroseconds),
    stageCount,
  });
  writeTables(outgoing.frame, fields, offset);
  return outgoing;
}

/** A frame that carries only KV operations, or nothing at all: the last stage's answer when no row was wanted back. */
export function encodeFrameWithoutRows(fields: Omit<FrameFields, "rows">): OutgoingFrame {
  const headRoom = frameHeadRoom(0, fields.kvOperations.length / KV_OPERATION_NUMBERS, fields.stages.length);
  return encodeFrame({ ...fields, rows: new Uint8Array(0) }, new Uint8Array(headRoom), headRoom);
}

/** Tells the next stages, and in the end the head, that this micro-batch failed. Text beyond 4 KiB is cut. */
export function encodeErrorFrame(origin: FrameOrigin, error: ExoError): OutgoingFrame {
  const text = new Uint8Array(MAX_ERROR_BYTES);
  const { written } = new TextEncoder().encodeInto(`${error.code}\n${error.message}`, text);
  const offset = payloadOffset(0, 0, 0);
  const outgoing = wrap(new Uint8Array(ENVELOPE_BYTES + offset + written));
  writeHeader(outgoing.frame, origin, {
    flags: FRAME_FLAG_ERROR,
    activationType: 0,
    rowCount: 0,
    embeddingSize: 0,
    kvOperationCount: 0,
    payloadOffset: offset,
    payloadBytes: written,
    computeMicroseconds: 0,
    queueMicroseconds: 0,
    stageCount: 0,
  });
  outgoing.frame.set(text.subarray(0, written), offset);
  return outgoing;
}

/** `message` starts with room for the envelope. */
function wrap(message: Uint8Array): OutgoingFrame {
  writeEnvelope(message);
  return { message, frame: message.subarray(ENVELOPE_BYTES) };
}

type HeaderRest = Record<
  Exclude<keyof typeof FRAME_HEADER, "magic" | "version" | "epoch" | "microBatch" | "fromStage">,
  number
>;

function writeHeader(frame: Uint8Array, origin: FrameOrigin, rest: HeaderRest): void {
  const view = new DataView(frame.buffer, frame.byteOffset, FRAME_HEADER_BYTES);
  view.setUint32(FRAME_HEADER.magic.offset, FRAME_MAGIC, true);
  view.setUint8(FRAME_HEADER.version.offset, FRAME_VERSION);
  view.setUint8(FRAME_HEADER.activationType.offset, rest.activationType);
  view.setUint16(FRAME_HEADER.flags.offset, rest.flags, true);
  view.setUint32(FRAME_HEADER.epoch.offset, origin.epoch, true);
  view.setUint32(FRAME_HEADER.microBatch.offset, origin.microBatch, true);
  view.setUint32(FRAME_HEADER.rowCount.offset, rest.rowCount, true);
  view.setUint32(FRAME_HEADER.embeddingSize.offset, rest.embeddingSize, true);
  view.setUint32(FRAME_HEADER.kvOperationCount.offset, rest.kvOperationCount, true);
  view.setUint32(FRAME_HEADER.payloadOffset.offset, rest.payloadOffset, true);
  view.setUint32(FRAME_HEADER.payloadBytes.offset, rest.payloadBytes, true);
  view.setUint32(FRAME_HEADER.computeMicroseconds.offset, rest.computeMicroseconds, true);
  view.setUint32(FRAME_HEADER.queueMicroseconds.offset, rest.queueMicroseconds, true);
  view.setUint16(FRAME_HEADER.fromStage.offset, origin.fromStage, true);
  view.setUint16(FRAME_HEADER.stageCount.offset, rest.stageCount, true);
}

/** The gap is zeroed because the storage is reused and held another micro-batch before. */
function writeTables(frame: Uint8Array, fields: FrameFields, end: number): void {
  const { rows, kvOperations, stages } = fields;
  const kvOffset = FRAME_HEADER_BYTES + rows.byteLength;
  const stagesOffset = kvOffset + kvOperations.byteLength;
  frame.set(rows, FRAME_HEADER_BYTES);
  frame.set(new Uint8Array(kvOperations.buffer, kvOperations.byteOffset, kvOperations.byteLength), kvOffset);
  writeStages(frame, stages, stagesOffset);
  frame.fill(0, stagesOffset + stages.length * STAGE_TIMES_BYTES, end);
}

function writeStages(frame: Uint8Array, stages: readonly StageTimes[], offset: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset + offset, stages.length * STAGE_TIMES_BYTES);
  for (const [index, times] of stages.entries()) {
    const at = index * STAGE_TIMES_BYTES;
    view.setUint32(at, saturate(times.computeMicroseconds), true);
    view.setUint32(at + 4, saturate(times.queueMicroseconds), true);
    view.setUint32(at + 8, times.arrivedMicroseconds, true);
    view.setUint32(at + 12, times.leftMicroseconds, true);
  }
}

function saturate(microseconds: number): number {
  return Math.min(Math.max(0, Math.round(microseconds)), U32_MAX);
}
