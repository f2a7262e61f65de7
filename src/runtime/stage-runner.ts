import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { ActivationType } from "../native/activation.js";
import { KV_OPERATION_NUMBERS, ROW_BYTES } from "../native/bindings.js";
import type { Stage } from "../native/stage.js";
import {
  type BatchFrame,
  type FrameLimits,
  type FrameOrigin,
  frameHeadRoom,
  type OutgoingFrame,
  wrappedMicroseconds,
} from "../transport/frame.js";
import { decodeFrame } from "../transport/frame-decode.js";
import { encodeErrorFrame, encodeFrame, encodeFrameWithoutRows } from "../transport/frame-encode.js";
import { outputRows } from "./output-rows.js";
import { SendQueue } from "./send-queue.js";

export interface StageRunnerOptions {
  readonly stage: Pick<Stage, "decode">;
  readonly epoch: number;
  readonly stageIndex: number;
  /** The next stage is the head again: only rows that it wants go back to it. */
  readonly isLast: boolean;
  /** Of the frames that come in. */
  readonly limits: FrameLimits;
  /** Numbers per row of the hidden states that go out. */
  readonly outputSize: number;
  readonly wireType: ActivationType;
  readonly send: (frame: OutgoingFrame) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Computes the frames that reach a stage which is not the head, and passes the results on in the same order. */
export class StageRunner {
  readonly #options: StageRunnerOptions;
  readonly #queue: SendQueue;

  constructor(options: StageRunnerOptions) {
    this.#options = options;
    this.#queue = new SendQueue(options.send);
  }

  /**
   * Takes one frame; resolves when its result was handed on. A micro-batch that cannot be computed travels on as an
   * error frame; only a malformed frame, or a next stage that is gone, rejects.
   */
  async onFrame(bytes: Uint8Array): Promise<void> {
    const arrived = this.#options.clock.monotonic();
    const frame = decodeFrame(bytes, this.#options.limits);
    const next =
      frame.kind === "error"
        ? Promise.resolve(encodeErrorFrame(this.#originOf(frame), frame.error))
        : this.#compute(frame, arrived).catch((thrown: unknown) => this.#failed(frame, ExoError.from(thrown)));
    await this.#queue.add(next);
  }

  async #compute(frame: BatchFrame, arrived: number): Promise<OutgoingFrame> {
    const { stage, isLast, wireType, outputSize, clock } = this.#options;
    const rows = isLast ? outputRows(frame.rows) : frame.rows;
    const kvOperations = isLast ? new Int32Array(0) : frame.kvOperations;
    const headRoom = frameHeadRoom(
      rows.byteLength / ROW_BYTES,
      kvOperations.length / KV_OPERATION_NUMBERS,
      frame.stages.length + 1,
    );
    const result = await stage.decode({
      rows: frame.rows,
      kvOperations: frame.kvOperations,
      ...(frame.rowCount > 0 && { activations: frame.activations, activationType: frame.activationType }),
      resultType: wireType,
      resultHeadRoom: headRoom,
      resultOutputsOnly: isLast,
    });
    const own = {
      computeMicroseconds: result.computeSeconds * 1e6,
      queueMicroseconds: result.queueSeconds * 1e6,
      arrivedMicroseconds: wrappedMicroseconds(arrived),
      leftMicroseconds: wrappedMicroseconds(clock.monotonic()),
    };
    const fields = {
      ...this.#originOf(frame),
      activationType: wireType,
      embeddingSize: outputSize,
      rows,
      kvOperations,
      computeMicroseconds: frame.computeMicroseconds + own.computeMicroseconds,
      queueMicroseconds: frame.queueMicroseconds + own.queueMicroseconds,
      stages: [...frame.stages, own],
    };
    return result.activations === null
      ? encodeFrameWithoutRows(fields)
      : encodeFrame(fields, result.activations, headRoom);
  }

  #failed(frame: FrameOrigin, error: ExoError): OutgoingFrame {
    const { logger, stageIndex } = this.#options;
    logger.warn({ microBatch: frame.microBatch, code: error.code, error: error.message }, "a micro-batch failed here");
    const told = new ExoError(error.code, `Stage ${stageIndex} could not compute: ${error.message}`);
    return encodeErrorFrame(this.#originOf(frame), told);
  }

  #originOf(frame: FrameOrigin): FrameOrigin {
    const { epoch, stageIndex } = this.#options;
    return { epoch, microBatch: frame.microBatch, fromStage: stageIndex };
  }
}
