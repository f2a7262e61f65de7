import type { StageWorkRecord } from "../cluster/node-record.js";
import type { HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Stage } from "../native/stage.js";
import { largestFrameBytes } from "../transport/frame.js";
import type { HopRegistrationHandle } from "../transport/hop-server.js";
import type { LoadStageRequest } from "../transport/node-service.js";
import { addReceived, MeteredStage, NOTHING_RECEIVED, type ReceivedFrames } from "./metered-stage.js";
import { type HopPorts, OutgoingEdge } from "./outgoing-edge.js";
import type { ComputedPasses } from "./pass-log.js";
import type { StagePart } from "./probe/predicted-work.js";
import { StageRunner } from "./stage-runner.js";
import { frameLimits, HOP_WINDOW } from "./stage-settings.js";

/** A part of the model, and the micro-batches that were computed with it. */
export interface MeteredPart extends StagePart {
  readonly passes: ComputedPasses;
}

export interface HeldStageOptions {
  readonly stage: Stage;
  readonly request: LoadStageRequest;
  readonly nextHop: HostPort;
  readonly ports: HopPorts;
  /** The ring went on without this stage, or is gone: free it. */
  readonly onOrphaned: (reason: ExoError) => void;
}

/** A stage that no frame has reached for this long after loading was forgotten by a head that died meanwhile. */
const FIRST_FRAME_DEADLINE_MS = 15 * 60_000;

/** A loaded stage in its place: frames come in on one edge, are computed and leave on the other. */
export class HeldStage {
  readonly stage: Stage;
  readonly request: LoadStageRequest;
  readonly #incoming: HopRegistrationHandle;
  readonly #outgoing: OutgoingEdge;
  readonly #metered: MeteredStage;
  readonly #unused: NodeJS.Timeout;
  #received = NOTHING_RECEIVED;

  constructor(options: HeldStageOptions) {
    const { stage, request, nextHop, ports, onOrphaned } = options;
    const { ringId, epoch, stageIndex, stageCount } = request.place;
    const ring = { ...request, slots: request.maxSequences };
    const limits = frameLimits(ring, stage.info.inputSize, stageCount);
    this.stage = stage;
    const { layerBegin, layerEnd, model } = request;
    this.#metered = new MeteredStage(ports.watchdog.watch(stage, `layers ${layerBegin}-${layerEnd} of ${model}`));
    this.request = request;
    this.#outgoing = new OutgoingEdge({
      ringId,
      epoch,
      fromStage: stageIndex,
      nextHop,
      nextNode: request.nextHop.nodeId,
      maxFrameBytes: largestFrameBytes(frameLimits(ring, stage.info.outputSize, stageCount)),
      ports,
      onLost: onOrphaned,
    });
    const runner = new StageRunner({
      stage: this.#metered,
      epoch,
      stageIndex,
      isLast: stageIndex === stageCount - 1,
      limits,
      outputSize: stage.info.outputSize,
      wireType: request.wireType,
      send: (frame) => this.#outgoing.send(frame),
      clock: ports.clock,
      logger: ports.logger,
    });
    this.#incoming = ports.hopServer.register({
      ringId,
      epoch,
      fromStage: stageIndex - 1,
      maxFrameBytes: largestFrameBytes(limits),
      window: HOP_WINDOW,
      receiver: {
        onFrame: (frame) => {
          clearTimeout(this.#unused);
          this.#received = addReceived(this.#received, frame);
          return runner.onFrame(frame);
        },
        onClosed: (error) =>
          onOrphaned(error ?? new ExoError("stage_lost", "The stage before this one left the ring.")),
      },
    });
    this.#unused = setTimeout(
      () => onOrphaned(new ExoError("stage_lost", "No frame reached this stage since it was loaded.")),
      FIRST_FRAME_DEADLINE_MS,
    ).unref();
  }

  work(): StageWorkRecord {
    return this.#metered.work(this.#outgoing.sent());
  }

  /** From the stage before, since this one was loaded. */
  received(): ReceivedFrames {
    return this.#received;
  }

  get busy(): boolean {
    return this.#metered.busy;
  }

  parts(): readonly MeteredPart[] {
    return [{ ...this.request, passes: this.#metered.passes() }];
  }

  /** Leaves the ring: from now on no frame comes in, and none goes out. The stage stays loaded. Idempotent. */
  leave(reason: ExoError): void {
    clearTimeout(this.#unused);
    this.#incoming.close(reason);
    void this.left();
  }

  /** Resolves when the stage's memory is free, though a dead neighbour may keep the edge to it open longer. Idempotent. */
  async close(reason: ExoError): Promise<void> {
    this.leave(reason);
    await this.stage.close();
  }

  /** Closes the edge to the next stage; resolves when that took what was sent, or is gone. Idempotent. */
  left(): Promise<void> {
    return this.#outgoing.close();
  }
}
