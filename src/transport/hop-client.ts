import type { HostPort } from "../config/address.js";
import type { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { NodeBuild } from "./compatibility.js";
import type { TransportCredentials } from "./credentials.js";
import type { OutgoingFrame } from "./frame.js";

/** The sender's end of a directed edge. */
export interface HopEdge {
  readonly ringId: string;
  readonly epoch: number;
  readonly fromStage: number;
  /** The sender's. */
  readonly nodeId: string;
}

export interface HopClientOptions {
  readonly address: HostPort;
  readonly credentials: TransportCredentials;
  readonly build: NodeBuild;
  readonly edge: HopEdge;
  /** `largestFrameBytes` of the ring. */
  readonly maxFrameBytes: number;
  /** Frames under way (sent and not yet taken by the receiver); the receiver may grant fewer. */
  readonly window: number;
  /** A frame that is not taken within this time closes the stream with `deadline_exceeded`. */
  readonly frameDeadlineMs: number;
  /** Time to connect and be accepted; `not_ready` (the next stage still loads) is tried again until then. */
  readonly openDeadlineMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once: `null` after `close()`, else why the stream ended. */
  readonly onClosed: (error: ExoError | null) => void;
}

export interface HopStats {
  readonly framesSent: number;
  readonly bytesSent: number;
  /** Sent and not yet taken. */
  readonly framesInFlight: number;
  /** From `send` to the receiver's word that it took the frame: median of the last 256, or `null` before the first. */
  readonly ackMillisecondsP50: number | null;
}

/** One open stream of frames to the next stage of a ring. */
export interface HopClient {
  /**
   * Sends frames in the order of the calls. Waits while the window is full; resolves when the frame has been handed to
   * the connection, from when on its bytes may be reused. Rejects with the reason once the stream has ended.
   */
  send(frame: OutgoingFrame): Promise<void>;
  /** Sends no more, waits until the receiver took what is under way (within the frame deadline), and disconnects. */
  close(): Promise<void>;
  stats(): HopStats;
}
