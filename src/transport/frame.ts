import { ExoError } from "../core/errors.js";
import { activationRowBytes } from "../native/activation.js";
import type { NativeActivationType } from "../native/bindings.js";
import { HEAD_ROOM_ALIGNMENT, MAX_FRAME_BYTES, payloadOffset } from "./frame-layout.js";
import { ENVELOPE_BYTES } from "./hop-envelope.js";

/** What one frame may hold in a given ring; a frame outside is refused before anything is made of it. */
export interface FrameLimits {
  /** Numbers in one hidden state row. */
  readonly embeddingSize: number;
  /** Rows in one micro-batch. */
  readonly maxRows: number;
  readonly maxKvOperations: number;
  readonly maxSequences: number;
  readonly maxStages: number;
}

/** What one stage did with a micro-batch, as the frame tells it. Microseconds of that stage's own clock. */
export interface StageTimes {
  /** On its thread, and in its queue; both saturate at 2^32 - 1. */
  readonly computeMicroseconds: number;
  readonly queueMicroseconds: number;
  /** When the frame before reached it, and when this one was ready to leave: modulo 2^32, from any fixed point. */
  readonly arrivedMicroseconds: number;
  readonly leftMicroseconds: number;
}

/** A time of `Clock.monotonic`, milliseconds, as `StageTimes` holds it. */
export function wrappedMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) % 2 ** 32;
}

/** What every frame says of where it comes from. */
export interface FrameOrigin {
  readonly epoch: number;
  /** Chosen by the head, counts modulo 2^32; every stage passes it on. */
  readonly microBatch: number;
  /** Position in the ring of the stage that sent the frame; 0 is the head. */
  readonly fromStage: number;
}

export interface FrameFields extends FrameOrigin {
  readonly activationType: NativeActivationType;
  readonly embeddingSize: number;
  /** `n * ROW_BYTES`, one for each hidden state row of the payload. */
  readonly rows: Uint8Array;
  /** `n * KV_OPERATION_NUMBERS`. */
  readonly kvOperations: Int32Array;
  /** On the threads, and in the queues, of the stages so far; saturates at 2^32 - 1. */
  readonly computeMicroseconds: number;
  readonly queueMicroseconds: number;
  /** One for each stage so far, the head first. */
  readonly stages: readonly StageTimes[];
}

/** A micro-batch between two stages. `rows`, `kvOperations` and `activations` are views of the received bytes. */
export interface BatchFrame extends FrameFields {
  readonly kind: "batch";
  readonly rowCount: number;
  /** Hidden states `[rowCount][embeddingSize]` in `activationType`. */
  readonly activations: Uint8Array;
}

/** A stage could not compute this micro-batch; stages that get it pass it on unchanged until the head has it. */
export interface ErrorFrame extends FrameOrigin {
  readonly kind: "error";
  readonly error: ExoError;
}

export type Frame = BatchFrame | ErrorFrame;

/** A frame ready for `HopClient.send`: both are views of the same bytes. */
export interface OutgoingFrame {
  readonly frame: Uint8Array;
  /** The frame with its protobuf envelope before it. */
  readonly message: Uint8Array;
}

/** Free bytes wanted before the activations, so that header, tables and envelope fit. A multiple of 64. */
export function frameHeadRoom(rowCount: number, kvOperationCount: number, stageCount: number): number {
  const bytes = ENVELOPE_BYTES + payloadOffset(rowCount, kvOperationCount, stageCount);
  return Math.ceil(bytes / HEAD_ROOM_ALIGNMENT) * HEAD_ROOM_ALIGNMENT;
}

/** The largest frame of a ring. Refuses (`invalid_argument`) a ring whose frames would pass `MAX_FRAME_BYTES`. */
export function largestFrameBytes(limits: FrameLimits): number {
  const bytes =
    payloadOffset(limits.maxRows, limits.maxKvOperations, limits.maxStages) +
    limits.maxRows * activationRowBytes("f32", limits.embeddingSize);
  if (bytes > MAX_FRAME_BYTES) {
    throw new ExoError(
      "invalid_argument",
      `Micro-batches of ${limits.maxRows} rows of ${limits.embeddingSize} numbers make frames of ${bytes} bytes, more than the ${MAX_FRAME_BYTES} that a hop carries; use a smaller batch.`,
    );
  }
  return bytes;
}
