import type { ExoError } from "../core/errors.js";

/** Takes the frames of one directed edge. */
export interface HopReceiver {
  /**
   * A frame of this epoch, at most `maxFrameBytes` long; not yet decoded. Called in the order of sending, also while
   * earlier calls are pending. Settle when the frame is taken (in the stage's queue): that lets the sender send
   * another. A rejection closes the stream and reaches the sender as it is; a micro-batch that fails alone is no
   * reason to reject: send an error frame on.
   */
  onFrame(frame: Uint8Array): Promise<void>;
  /** Called once for each accepted stream: `null` when the sender closed it, else why it ended. */
  onClosed(error: ExoError | null): void;
}

export interface HopRegistration {
  readonly ringId: string;
  readonly epoch: number;
  /** The stage that frames come from. */
  readonly fromStage: number;
  /** `largestFrameBytes` of the ring. */
  readonly maxFrameBytes: number;
  /** Frames taken but not settled that this receiver puts up with. */
  readonly window: number;
  readonly receiver: HopReceiver;
}

export interface HopServer {
  /** From now on a stream of this edge is accepted, one at a time. Older epochs get `stale_epoch`. */
  register(registration: HopRegistration): HopRegistrationHandle;
}

export interface HopRegistrationHandle {
  /** Refuses new streams and ends the open one, telling the sender `reason` (default: `stage_lost`). Idempotent. */
  close(reason?: ExoError): void;
}
