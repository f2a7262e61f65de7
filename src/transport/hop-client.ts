import { setTimeout as delay } from "node:timers/promises";
import { Client, type ServiceError } from "@grpc/grpc-js";
import type { HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { hopMetadata } from "./caller.js";
import { channelTarget } from "./channel-target.js";
import type { NodeBuild } from "./compatibility.js";
import type { TransportCredentials } from "./credentials.js";
import type { OutgoingFrame } from "./frame.js";
import type { HopReply__Output } from "./generated/exo/v1/HopReply.js";
import { type HopStream, OutboundHop, peerName } from "./hop-outbound.js";
import { hopChannelOptions } from "./limits.js";
import type { PeerWatch } from "./peer-watch.js";
import { hopStreamMethod } from "./proto.js";
import { fromGrpcStatus } from "./status-table.js";

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
  /** Id of the next node: no other may answer, where credentials tell nodes apart. */
  readonly nextNode?: string;
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
  /** Ends the stream when the next node falls silent, and is told of its replies. Default: nobody watches it. */
  readonly watch?: PeerWatch;
  /** Called once: `null` after `close()`, else why the stream ended. */
  readonly onClosed: (error: ExoError | null) => void;
}

export interface HopStats {
  readonly framesSent: number;
  readonly bytesSent: number;
  /** Sent, and not known to be taken. */
  readonly framesInFlight: number;
}

/** One open stream of frames to the next stage of a ring, on a connection of its own. */
export interface HopClient {
  /**
   * Sends frames in the order of the calls. Waits while the window is full; resolves when the frame has been handed to
   * the connection, from when on its bytes may be reused. Rejects with the reason once the stream has ended.
   */
  send(frame: OutgoingFrame): Promise<void>;
  /** Sends what was asked for, waits until the receiver took it (within the frame deadline), and disconnects. */
  close(): Promise<void>;
  /** Ends the stream now, with this. */
  fail(reason: ExoError): void;
  stats(): HopStats;
}

const NOT_READY_RETRY_MS = 50;

/** Connects and waits until the next stage accepts the stream. */
export async function openHop(options: HopClientOptions): Promise<HopClient> {
  const { credentials, nextNode } = options;
  credentials.requireAllowed(options.address.host);
  const secured = nextNode === undefined ? credentials.channel : credentials.channelTo(nextNode);
  const channel = new Client(channelTarget(options.address), secured, {
    ...hopChannelOptions(options.maxFrameBytes),
    ...credentials.channelOptions,
  });
  try {
    return await openWithRetry(channel, options);
  } catch (thrown) {
    channel.close();
    throw thrown;
  }
}

async function openWithRetry(channel: Client, options: HopClientOptions): Promise<HopClient> {
  const { clock, openDeadlineMs } = options;
  const deadline = clock.monotonic() + openDeadlineMs;
  for (;;) {
    try {
      return await openOnce(channel, options, deadline - clock.monotonic());
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (error.code !== "not_ready" || clock.monotonic() + NOT_READY_RETRY_MS >= deadline) throw error;
    }
    await delay(NOT_READY_RETRY_MS);
  }
}

/** The client is made in the very event that accepts the stream, so that none after it is missed. */
function openOnce(channel: Client, options: HopClientOptions, timeoutMs: number): Promise<HopClient> {
  const { path, requestSerialize, responseDeserialize } = hopStreamMethod;
  const { build, edge } = options;
  const metadata = hopMetadata({ ...build, nodeId: edge.nodeId }, edge);
  const stream: HopStream = channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      stream.removeAllListeners("data");
      outcome();
    };
    const timer = setTimeout(() => {
      settle(() => reject(unanswered(options)));
      stream.cancel();
    }, timeoutMs);
    stream.on("error", (error: ServiceError) => settle(() => reject(fromGrpcStatus(error, peerName(options)))));
    stream.once("data", (reply: HopReply__Output) =>
      settle(() => resolve(new OutboundHop(channel, stream, reply, options))),
    );
  });
}

function unanswered(options: HopClientOptions): ExoError {
  return new ExoError(
    "peer_unreachable",
    `${peerName(options)} did not accept a hop stream within ${options.openDeadlineMs} ms.`,
  );
}
