import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { requireCaller, requireEdge } from "./caller.js";
import type { NodeBuild } from "./compatibility.js";
import type { HopReply } from "./generated/exo/v1/HopReply.js";
import type { HopEdge } from "./hop-client.js";
import { InboundHop } from "./hop-inbound.js";
import { noWatch, type PeerWatch } from "./peer-watch.js";
import { toGrpcStatus } from "./status-table.js";

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
  /** Frames that may wait to be settled; a sender that passes more is cut off. */
  readonly window: number;
  readonly receiver: HopReceiver;
}

export interface HopRegistrationHandle {
  /** Refuses new streams and ends the open one, telling the sender `reason` (default: `stage_lost`). Idempotent. */
  close(reason?: ExoError): void;
}

interface Entry {
  readonly registration: HopRegistration;
  stream: InboundHop | null;
}

/** The receiving ends of all edges into this node. */
export class HopServer {
  readonly #build: NodeBuild;
  readonly #logger: Logger;
  readonly #watch: PeerWatch;
  readonly #entries = new Set<Entry>();
  #bytesFrom: (peer: string) => number = () => 0;

  constructor(build: NodeBuild, logger: Logger, watch: PeerWatch = noWatch) {
    this.#build = build;
    this.#logger = logger;
    this.#watch = watch;
  }

  /** How to learn what came over the connection of a peer (`address:port`) so far: also half a frame is a sign of life. */
  countBytes(bytesFrom: (peer: string) => number): void {
    this.#bytesFrom = bytesFrom;
  }

  /** From now on a stream of this edge is accepted, one at a time; streams of older epochs get `stale_epoch`. */
  register(registration: HopRegistration): HopRegistrationHandle {
    const { ringId, epoch, fromStage } = registration;
    if ([...this.#entries].some((entry) => follows(entry, registration))) {
      throw new ExoError(
        "invalid_argument",
        `This node already has a stage that follows stage ${fromStage} of ring ${ringId}, epoch ${epoch}.`,
      );
    }
    const entry: Entry = { registration, stream: null };
    this.#entries.add(entry);
    return {
      close: (reason) => {
        if (!this.#entries.delete(entry)) return;
        entry.stream?.close(
          reason ?? new ExoError("stage_lost", `The next stage of ring ${ringId}, epoch ${epoch}, was unloaded.`),
        );
      },
    };
  }

  /** A peer opened a stream. Refused, or served until it ends. */
  accept(call: ServerDuplexStream<Buffer, HopReply>): void {
    try {
      const caller = requireCaller(call.metadata, this.#build, call.getPeer());
      const edge = requireEdge(call.metadata, caller);
      this.#serve(call, this.#find(edge), edge);
    } catch (thrown) {
      const error = ExoError.from(thrown);
      // A sender asks again and again while this node still loads.
      const level = error.code === "not_ready" ? "debug" : "warn";
      this.#logger[level]({ peer: call.getPeer(), code: error.code }, `Hop stream refused: ${error.message}`);
      call.emit("error", toGrpcStatus(error));
    }
  }

  /** Ends every stream; nothing is accepted from then on. */
  close(): void {
    const reason = new ExoError("stage_lost", "The next stage's node is shutting down.");
    for (const entry of this.#entries) entry.stream?.close(reason);
    this.#entries.clear();
  }

  #serve(call: ServerDuplexStream<Buffer, HopReply>, entry: Entry, edge: HopEdge): void {
    if (entry.stream !== null) {
      throw new ExoError(
        "invalid_argument",
        `Stage ${edge.fromStage} of ring ${edge.ringId} already has an open stream.`,
      );
    }
    this.#logger.info({ peer: call.getPeer(), ...edge }, "Hop stream opened");
    const peer = call.getPeer();
    const stream = new InboundHop(call, entry.registration, {
      bytesReceived: () => this.#bytesFrom(peer),
      onSign: () => this.#watch.heard(edge.nodeId),
      onEnd: (error) => {
        unwatch();
        entry.stream = null;
        this.#logger.info({ ...edge, code: error?.code ?? null }, error?.message ?? "Hop stream closed");
      },
    });
    entry.stream = stream;
    const unwatch = this.#watch.onSilent(edge.nodeId, (reason) => stream.close(reason));
  }

  #find(edge: HopEdge): Entry {
    const entries = [...this.#entries];
    const found = entries.find((entry) => follows(entry, edge));
    if (found !== undefined) return found;
    const ofRing = entries.filter(({ registration }) => registration.ringId === edge.ringId);
    const newest = Math.max(-1, ...ofRing.map(({ registration }) => registration.epoch));
    if (edge.epoch < newest) {
      throw new ExoError(
        "stale_epoch",
        `Ring ${edge.ringId} is in epoch ${newest}; a stream of epoch ${edge.epoch} comes too late.`,
      );
    }
    throw new ExoError(
      "not_ready",
      `This node has no stage that follows stage ${edge.fromStage} of ring ${edge.ringId}, epoch ${edge.epoch}, (yet).`,
    );
  }
}

function follows({ registration }: Entry, edge: Pick<HopEdge, "ringId" | "epoch" | "fromStage">): boolean {
  return (
    registration.ringId === edge.ringId &&
    registration.epoch === edge.epoch &&
    registration.fromStage === edge.fromStage
  );
}
