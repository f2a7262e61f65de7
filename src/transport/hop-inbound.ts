import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import { frameEpoch } from "./frame-decode.js";
import type { HopReply } from "./generated/exo/v1/HopReply.js";
import { readEnvelope } from "./hop-envelope.js";
import type { HopRegistration } from "./hop-server.js";
import { toGrpcStatus } from "./status-table.js";

/**
 * The sender learns what was taken at the latest after this time. A message for each frame would cost both ends as much
 * as the frame of a decode step itself.
 */
const ACKNOWLEDGE_AFTER_MS = 100;
/** The sender hears of this node so often on the very connection that frames come by, whether or not it has any to send. */
export const BEAT_MS = 500;
/** Between two looks whether part of a frame came: a large one takes seconds on a slow link. */
const LOOK_MS = 100;

export interface InboundHooks {
  /** By its connection so far. */
  readonly bytesReceived: () => number;
  /** Something came: a message, which is not looked at yet, or a part of one. */
  readonly onSign: () => void;
  readonly onEnd: (error: ExoError | null) => void;
}

/**
 * One accepted stream: hands its frames to the receiver in order and tells the sender how many were taken: at once when
 * that is half of the window, so that the sender never waits for word, else a little later.
 */
export class InboundHop {
  readonly #call: ServerDuplexStream<Buffer, HopReply>;
  readonly #registration: HopRegistration;
  readonly #onEnd: (error: ExoError | null) => void;
  readonly #onSign: () => void;
  readonly #looks: NodeJS.Timeout;
  #received = 0;
  /** All frames before this one are settled; `#settled` are those after it. */
  #taken = 0;
  readonly #settled = new Set<number>();
  #acknowledged = 0;
  #acknowledgeLater: NodeJS.Timeout | null = null;
  readonly #beats: NodeJS.Timeout;
  #halfClosed = false;
  #ended = false;

  constructor(
    call: ServerDuplexStream<Buffer, HopReply>,
    registration: HopRegistration,
    { bytesReceived, onSign, onEnd }: InboundHooks,
  ) {
    this.#call = call;
    this.#registration = registration;
    this.#onEnd = onEnd;
    this.#onSign = onSign;
    call.on("data", (message: Buffer) => this.#receive(message));
    call.on("drain", () => this.#acknowledge());
    call.on("end", () => {
      this.#halfClosed = true;
      this.#endWhenDone();
    });
    call.on("cancelled", () => this.#end(lost(registration)));
    call.write({ taken: 0, window: registration.window, beatMs: BEAT_MS });
    this.#beats = setInterval(() => this.#beat(), BEAT_MS).unref();
    this.#looks = whenever(bytesReceived, onSign);
  }

  close(reason: ExoError): void {
    this.#end(reason);
  }

  #receive(message: Buffer): void {
    if (this.#ended) return;
    this.#onSign();
    try {
      const frame = readEnvelope(message);
      this.#check(frame);
      void this.#hand(frame, this.#received++);
    } catch (thrown) {
      this.#end(ExoError.from(thrown));
    }
  }

  #check(frame: Uint8Array): void {
    const { maxFrameBytes, window, epoch, ringId } = this.#registration;
    if (frame.byteLength > maxFrameBytes) {
      throw new ExoError(
        "bad_frame",
        `A frame was refused: its length is ${frame.byteLength}; allowed: at most ${maxFrameBytes} in ring ${ringId}.`,
      );
    }
    if (this.#received - this.#taken >= window) {
      throw new ExoError(
        "bad_frame",
        `A frame was refused: ${window} others are not yet taken, and no more may be under way.`,
      );
    }
    const frameOf = frameEpoch(frame);
    if (frameOf !== epoch) {
      throw new ExoError(
        "stale_epoch",
        `A frame of epoch ${frameOf} came to ring ${ringId}, which is in epoch ${epoch}.`,
      );
    }
  }

  async #hand(frame: Uint8Array, index: number): Promise<void> {
    try {
      await this.#registration.receiver.onFrame(frame);
    } catch (thrown) {
      this.#end(ExoError.from(thrown));
      return;
    }
    this.#settled.add(index);
    while (this.#settled.delete(this.#taken)) this.#taken += 1;
    if (2 * (this.#taken - this.#acknowledged) >= this.#registration.window) this.#acknowledge();
    else this.#acknowledgeSoon();
    this.#endWhenDone();
  }

  #acknowledgeSoon(): void {
    if (this.#ended || this.#acknowledgeLater !== null) return;
    this.#acknowledgeLater = setTimeout(() => {
      this.#acknowledgeLater = null;
      this.#acknowledge();
    }, ACKNOWLEDGE_AFTER_MS);
  }

  /** Cumulative, so a sender that reads slowly costs one number and no queue. */
  #acknowledge(): void {
    if (this.#ended || this.#acknowledged === this.#taken || this.#call.writableNeedDrain) return;
    this.#acknowledged = this.#taken;
    this.#call.write({ taken: this.#taken });
  }

  /** A sender that does not read what is there already is told nothing more. */
  #beat(): void {
    if (this.#call.writableNeedDrain) return;
    this.#acknowledged = this.#taken;
    this.#call.write({ taken: this.#taken });
  }

  #endWhenDone(): void {
    if (this.#halfClosed && this.#taken === this.#received) this.#end(null);
  }

  /** The last word may still be due, where `#acknowledge` waited for the sender to read. */
  #finish(): void {
    if (this.#acknowledged !== this.#taken) this.#call.write({ taken: this.#taken });
    this.#call.end();
  }

  #end(error: ExoError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#beats);
    clearInterval(this.#looks);
    if (this.#acknowledgeLater !== null) clearTimeout(this.#acknowledgeLater);
    if (error === null) this.#finish();
    else this.#call.emit("error", toGrpcStatus(error));
    this.#onEnd(error);
    this.#registration.receiver.onClosed(error);
  }
}

/** Calls back when the count has grown since the last look. */
function whenever(count: () => number, grown: () => void): NodeJS.Timeout {
  let before = count();
  const look = (): void => {
    const now = count();
    if (now > before) grown();
    before = now;
  };
  return setInterval(look, LOOK_MS).unref();
}

function lost(registration: HopRegistration): ExoError {
  const { ringId, epoch, fromStage } = registration;
  return new ExoError(
    "stage_lost",
    `Stage ${fromStage} of ring ${ringId}, epoch ${epoch}, went away or gave up the stream.`,
  );
}
