import type { NativeActivationType } from "../native/bindings.js";

/**
 * The fixed part of a frame, little endian. `docs/protocol.md` shows the same table; a test holds the two together.
 * Behind it: rows (`ROW_BYTES` each), KV operations (six i32 each), stages' times (four u32 each), zeros up to a multiple
 * of 16, activations.
 */
export const FRAME_HEADER = {
  magic: { offset: 0, type: "u32" },
  version: { offset: 4, type: "u8" },
  activationType: { offset: 5, type: "u8" },
  flags: { offset: 6, type: "u16" },
  epoch: { offset: 8, type: "u32" },
  microBatch: { offset: 12, type: "u32" },
  rowCount: { offset: 16, type: "u32" },
  embeddingSize: { offset: 20, type: "u32" },
  kvOperationCount: { offset: 24, type: "u32" },
  payloadOffset: { offset: 28, type: "u32" },
  payloadBytes: { offset: 32, type: "u32" },
  computeMicroseconds: { offset: 36, type: "u32" },
  queueMicroseconds: { offset: 40, type: "u32" },
  fromStage: { offset: 44, type: "u16" },
  stageCount: { offset: 46, type: "u16" },
} as const satisfies Record<string, { offset: number; type: "u8" | "u16" | "u32" }>;

export const FRAME_HEADER_BYTES = 48;
/** The bytes `EXOF`. */
export const FRAME_MAGIC = 0x46_4f_58_45;
export const FRAME_VERSION = 2;
/** Activations start at a multiple of this from the frame's first byte. */
const FRAME_ALIGNMENT = 16;
/** The room before activations is a multiple of this, so that they start where native buffers are aligned to. */
export const HEAD_ROOM_ALIGNMENT = 64;
/** Flag: the payload is an error's code and message, not activations. */
export const FRAME_FLAG_ERROR = 1;
/** Bytes of what one stage tells of its work, and the numbers in it. */
export const STAGE_TIMES_BYTES = 16;

/** Number of an activation type in the header. */
export const ACTIVATION_TYPE_NUMBERS: Readonly<Record<NativeActivationType, number>> = { f32: 0, f16: 1, q8_0: 2 };

/** No frame may be longer, whatever the model: 2048 rows of 16384 f32 numbers, and 4 MiB for the tables. */
export const MAX_FRAME_BYTES = 132 * 1024 * 1024;
/** UTF-8 bytes of an error frame's payload. */
export const MAX_ERROR_BYTES = 4096;

/** Where the payload starts, counted from the frame's first byte. */
export function payloadOffset(rowCount: number, kvOperationCount: number, stageCount: number): number {
  const tables = FRAME_HEADER_BYTES + rowCount * 12 + kvOperationCount * 24 + stageCount * STAGE_TIMES_BYTES;
  return Math.ceil(tables / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
}
