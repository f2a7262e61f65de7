import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { ActivationType } from "../native/activation.js";
import { KV_OPERATION_NUMBERS, ROW_BYTES } from "../native/bindings.js";
import type { DecodeResult, SampleRequest, Stage } from "../native/stage.js";
import {
  type BatchFrame,
  type FrameLimits,
  frameHeadRoom,
  type OutgoingFrame,
  wrappedMicroseconds,
} from "../transport/frame.js";
import { decodeFrame } from "../transport/frame-decode.js";
import { encodeFrame, encodeFrameWithoutRows } from "../transport/frame-encode.js";
import { Breakage } from "./breakage.js";
import { HopDelays } from "./hop-delays.js";
import { HopTimes } from "./hop-times.js";
import type { RingBatch } from "./micro-batch.js";
import { outputRows } from "./output-rows.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";
import { SendQueue } from "./send-queue.js";
import { wayRound } from "./way-round.js";

export interface RingPipelineOptions {
  /** Embedding and first layers. */
  readonly front: Pick<Stage, "decode" | "close">;
  /** Output head without layers: the end of the way round. */
  readonly output: Pick<Stage, "decode" | "close">;
  readonly epoch: number;
  readonly stageCount: number;
  /** Of the frames that come back. */
  readonly limits: FrameLimits;
  /** Numbers per row of the hidden states that go out. */
  readonly outputSize: number;
  readonly wireType: ActivationType;
  /** To the next stage. */
  readonly send: (frame: OutgoingFrame) => Promise<void>;
  /** Closes both edges of the head. */
  readonly disconnect: () => Promise<void>;
  /** A micro-batch that is not back within this time breaks the ring. */
  readonly roundTripDeadlineMs: number;
  /** Seconds of each hop of a micro-batch that had rows. */
  readonly onHops?: (seconds: readonly number[]) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A frame, and when it came; milliseconds. */
interface Returned {
  readonly frame: BatchFrame;
  readonly at: number;
}

interface Awaited {
  readonly resolve: (returned: Returned) => void;
  readonly reject: (error: ExoError) => void;
  readonly timer: NodeJS.Timeout;
}

/** The head's side of a ring: first layers here, a way round the other stages, then the output head here. */
export class RingPipeline implements Pipeline {
  readonly stageCount: number;
  readonly hops: HopTimes;
  readonly delays: HopDelays;
  readonly #options: RingPipelineOptions;
  readonly #queue: SendQueue;
  readonly #awaited = new Map<number, Awaited>();
  readonly #breakage = new Breakage();
  #nextMicroBatch = 0;

  constructor(options: RingPipelineOptions) {
    this.#options = options;
    this.#queue = new SendQueue(options.send);
    this.stageCount = options.stageCount;
    this.hops = new HopTimes(options.stageCount);
    this.delays = new HopDelays(options.stageCount);
  }

  get broken(): ExoError | null {
    return this.#breakage.reason;
  }

  onBroken(callback: (error: ExoError) => void): void {
    this.#breakage.listen(callback);
  }

  async run(batch: RingBatch, onHandedOver: () => void): Promise<PipelineResult> {
    if (this.broken !== null) throw this.broken;
    const { clock, stageCount } = this.#options;
    const begun = clock.monotonic();
    const microBatch = this.#nextMicroBatch;
    this.#nextMicroBatch = (microBatch + 1) >>> 0;
    const back = this.#expect(microBatch);
    // Only this end of the promise may be awaited, so the other must not count as unhandled.
    back.catch(() => {});
    const outgoing = this.#computeFront(batch, microBatch, begun);
    this.#queue.add(outgoing).then(
      // The connection writes at the end of this turn of the event loop; what can wait comes after that.
      () => setImmediate(onHandedOver),
      (thrown: unknown) => this.#fail(microBatch, ExoError.from(thrown)),
    );
    const { frame, at } = await back;
    const { samples, pooled, computeSeconds, queueSeconds, samplingSeconds } = await this.#computeOutput(
      batch,
      frame,
    ).catch((thrown: unknown) => {
      const error = ExoError.from(thrown);
      this.#fail(microBatch, error);
      throw error;
    });
    const ended = clock.monotonic();
    const timings = {
      total: (ended - begun) / 1000,
      compute: computeSeconds + frame.computeMicroseconds / 1e6,
      queue: queueSeconds + frame.queueMicroseconds / 1e6,
    };
    this.hops.record(timings);
    const output = { compute: computeSeconds, queue: queueSeconds, sampling: samplingSeconds };
    const way = wayRound({ stages: frame.stages, back: at, ended, output }, stageCount, this.delays);
    if (way !== null && batch.rowCount > 0) this.#options.onHops?.(way.hops);
    return { samples, pooled, timings, way };
  }

  /** A frame that came back to the head. Rejects, which closes the edge, only if it is malformed. */
  async onFrame(bytes: Uint8Array): Promise<void> {
    const at = this.#options.clock.monotonic();
    const frame = decodeFrame(bytes, this.#options.limits);
    const awaited = this.#awaited.get(frame.microBatch);
    if (awaited === undefined) {
      this.#options.logger.debug({ microBatch: frame.microBatch }, "a frame came back that nothing waits for");
      return;
    }
    if (frame.kind === "error") this.#fail(frame.microBatch, frame.error);
    else this.#settle(frame.microBatch)?.resolve({ frame, at });
  }

  /** Nothing more will come back: a stage or an edge is lost. */
  break(error: ExoError): void {
    for (const microBatch of [...this.#awaited.keys()]) this.#forget(microBatch, error);
    this.#breakage.set(error);
  }

  /** Resolves when the stages are let go of; of a ring that is broken an edge may take longer to close than that. */
  async close(): Promise<void> {
    const { front, output, disconnect } = this.#options;
    const wasBroken = this.broken !== null;
    this.break(new ExoError("not_ready", "The ring is being taken down."));
    const disconnected = disconnect();
    await Promise.all([front.close(), output.close(), ...(wasBroken ? [] : [disconnected])]);
  }

  #expect(microBatch: number): Promise<Returned> {
    const { roundTripDeadlineMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.break(
          new ExoError(
            "stage_lost",
            `A micro-batch did not come back round the ring within ${roundTripDeadlineMs / 1000} s; a stage hangs.`,
          ),
        );
      }, roundTripDeadlineMs);
      this.#awaited.set(microBatch, { resolve, reject, timer });
    });
  }

  #settle(microBatch: number): Awaited | undefined {
    const awaited = this.#awaited.get(microBatch);
    this.#awaited.delete(microBatch);
    clearTimeout(awaited?.timer);
    return awaited;
  }

  /** One micro-batch failed; and the ring, if with it a stage is lost. */
  #fail(microBatch: number, error: ExoError): void {
    this.#forget(microBatch, error);
    if (error.code === "stage_lost") this.break(error);
  }

  #forget(microBatch: number, error: ExoError): void {
    this.#settle(microBatch)?.reject(error);
  }

  async #computeFront(batch: RingBatch, microBatch: number, begun: number): Promise<OutgoingFrame> {
    const { front, epoch, outputSize, wireType, clock } = this.#options;
    const headRoom = frameHeadRoom(batch.rowCount, batch.kvOperations.length / KV_OPERATION_NUMBERS, 1);
    const result = await front.decode({
      rows: batch.rows,
      kvOperations: batch.kvOperations,
      resultType: wireType,
      resultHeadRoom: headRoom,
    });
    const times = { computeMicroseconds: result.computeSeconds * 1e6, queueMicroseconds: result.queueSeconds * 1e6 };
    const arrivedMicroseconds = wrappedMicroseconds(begun);
    const leftMicroseconds = wrappedMicroseconds(clock.monotonic());
    const fields = {
      ...times,
      stages: [{ ...times, arrivedMicroseconds, leftMicroseconds }],
      epoch,
      microBatch,
      fromStage: 0,
      activationType: wireType,
      embeddingSize: outputSize,
      rows: batch.rows,
      kvOperations: batch.kvOperations,
    };
    return result.activations === null
      ? encodeFrameWithoutRows(fields)
      : encodeFrame(fields, result.activations, headRoom);
  }

  async #computeOutput(
    batch: RingBatch,
    frame: BatchFrame,
  ): Promise<Pick<DecodeResult, "samples" | "pooled" | "computeSeconds" | "queueSeconds" | "samplingSeconds">> {
    const samples = samplesOfReturnedRows(batch.samples);
    checkReturned(frame, outputRows(batch.rows));
    if (frame.rowCount === 0)
      return { samples: [], pooled: null, computeSeconds: 0, queueSeconds: 0, samplingSeconds: 0 };
    return this.#options.output.decode({
      rows: frame.rows,
      activations: frame.activations,
      activationType: frame.activationType,
      samples,
      wantPooled: batch.pooled,
    });
  }
}

function checkReturned({ rows, rowCount }: BatchFrame, expected: Uint8Array): void {
  if (Buffer.compare(rows, expected) === 0) return;
  const asked = expected.byteLength / ROW_BYTES;
  const what = rowCount === asked ? `${asked} other rows than those that` : `${rowCount} rows where ${asked}`;
  throw new ExoError("bad_frame", `The last stage returned ${what} were asked for.`);
}

/** Only the rows that were asked for come back, in their order. */
function samplesOfReturnedRows(samples: readonly SampleRequest[]): (SampleRequest & { readonly drafted: number })[] {
  let row = 0;
  return samples.map((sample) => {
    const drafted = sample.drafted ?? 0;
    const returned = { ...sample, row, drafted };
    row += 1 + drafted;
    return returned;
  });
}
