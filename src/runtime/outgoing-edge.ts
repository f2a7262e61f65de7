import type { HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { NodeBuild } from "../transport/compatibility.js";
import type { TransportCredentials } from "../transport/credentials.js";
import type { OutgoingFrame } from "../transport/frame.js";
import { type HopClient, openHop } from "../transport/hop-client.js";
import type { HopServer } from "../transport/hop-server.js";
import type { PeerWatch } from "../transport/peer-watch.js";
import type { SentFrames } from "./metered-stage.js";
import { HOP_WINDOW } from "./stage-settings.js";
import type { StageWatchdog } from "./stage-watchdog.js";

/** What a stage needs of its node to have edges. */
export interface HopPorts {
  readonly hopServer: HopServer;
  readonly credentials: TransportCredentials;
  readonly build: NodeBuild;
  readonly nodeId: string;
  /** Ends edges to nodes that fall silent. */
  readonly watch: PeerWatch;
  /** Of the stages' threads. */
  readonly watchdog: StageWatchdog;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface OutgoingEdgeOptions {
  readonly ringId: string;
  readonly epoch: number;
  readonly fromStage: number;
  readonly nextHop: HostPort;
  readonly nextNode: string;
  readonly maxFrameBytes: number;
  readonly ports: HopPorts;
  /** The edge is gone and nobody asked for it. */
  readonly onLost: (error: ExoError) => void;
}

/** Beyond what the next stage may compute; it says itself when its thread hangs. */
const FRAME_MARGIN_MS = 30_000;
const OPEN_DEADLINE_MS = 15_000;

/** The edge to the next stage. Opened by the first frame, because only then the next stage is known to be loaded. */
export class OutgoingEdge {
  readonly #options: OutgoingEdgeOptions;
  #client: Promise<HopClient> | null = null;
  #framesSent = 0;
  #bytesSent = 0;
  #closed = false;

  constructor(options: OutgoingEdgeOptions) {
    this.#options = options;
  }

  async send(frame: OutgoingFrame): Promise<void> {
    if (this.#closed) throw new ExoError("stage_lost", "The edge to the next stage is closed.");
    this.#client ??= this.#open();
    await (await this.#client).send(frame);
    this.#framesSent += 1;
    this.#bytesSent += frame.message.byteLength;
  }

  /** Since the edge was made. */
  sent(): SentFrames {
    return { framesSent: this.#framesSent, bytesSent: this.#bytesSent };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => null);
    await client?.close().catch(() => {});
  }

  async #open(): Promise<HopClient> {
    const { ringId, epoch, fromStage, nextHop, nextNode, maxFrameBytes, ports } = this.#options;
    return openHop({
      address: nextHop,
      credentials: ports.credentials,
      build: ports.build,
      edge: { ringId, epoch, fromStage, nodeId: ports.nodeId },
      maxFrameBytes,
      window: HOP_WINDOW,
      frameDeadlineMs: ports.watchdog.longestMs + FRAME_MARGIN_MS,
      openDeadlineMs: OPEN_DEADLINE_MS,
      logger: ports.logger,
      clock: ports.clock,
      watch: ports.watch,
      nextNode,
      onClosed: (error) => {
        if (error !== null && !this.#closed) this.#options.onLost(lostStage(error));
      },
    });
  }
}

/** Whatever ended an edge, the stage behind it is lost, and a request may be tried again when the ring has formed anew. */
export function lostStage(error: ExoError): ExoError {
  if (error.code === "stage_lost" || error.code === "stale_epoch" || error.code === "not_ready") return error;
  const message = `The ring is broken and forms anew; its link failed: ${error.message.replace(/\.?$/, ".")}`;
  return new ExoError("stage_lost", message, { cause: error });
}
