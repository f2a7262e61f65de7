import type { HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import { type FrameLimits, largestFrameBytes, type OutgoingFrame } from "../transport/frame.js";
import type { HopRegistrationHandle } from "../transport/hop-server.js";
import { addReceived, NOTHING_RECEIVED, type ReceivedFrames, type SentFrames } from "./metered-stage.js";
import { type HopPorts, lostStage, OutgoingEdge } from "./outgoing-edge.js";
import { HOP_WINDOW } from "./stage-settings.js";

export interface HeadEdgesOptions {
  readonly ringId: string;
  readonly epoch: number;
  readonly stageCount: number;
  readonly nextHop: HostPort;
  readonly nextNode: string;
  /** Of the frames that go out and of those that come back. */
  readonly outgoing: FrameLimits;
  readonly incoming: FrameLimits;
  readonly ports: HopPorts;
  /** A frame that came back from the last stage. */
  readonly onFrame: (frame: Uint8Array) => Promise<void>;
  /** One of the edges is gone. */
  readonly onLost: (error: ExoError) => void;
}

/** The two ends of a ring that meet at the head: to the second stage, and back from the last. */
export class HeadEdges {
  readonly #outgoing: OutgoingEdge;
  readonly #incoming: HopRegistrationHandle;
  #received = NOTHING_RECEIVED;

  constructor(options: HeadEdgesOptions) {
    const { ringId, epoch, stageCount, nextHop, nextNode, outgoing, incoming, ports, onFrame, onLost } = options;
    this.#outgoing = new OutgoingEdge({
      ringId,
      epoch,
      fromStage: 0,
      nextHop,
      nextNode,
      maxFrameBytes: largestFrameBytes(outgoing),
      ports,
      onLost,
    });
    this.#incoming = ports.hopServer.register({
      ringId,
      epoch,
      fromStage: stageCount - 1,
      maxFrameBytes: largestFrameBytes(incoming),
      window: HOP_WINDOW,
      receiver: {
        onFrame: (frame) => {
          this.#received = addReceived(this.#received, frame);
          return onFrame(frame);
        },
        onClosed: (error) => onLost(lostStage(error ?? new ExoError("stage_lost", "The last stage of the ring left."))),
      },
    });
  }

  send(frame: OutgoingFrame): Promise<void> {
    return this.#outgoing.send(frame);
  }

  sent(): SentFrames {
    return this.#outgoing.sent();
  }

  received(): ReceivedFrames {
    return this.#received;
  }

  async close(): Promise<void> {
    this.#incoming.close(new ExoError("not_ready", "The ring was taken down."));
    await this.#outgoing.close();
  }
}
