import type { ChannelOptions } from "@grpc/grpc-js";
import { MAX_FRAME_BYTES } from "./frame-layout.js";
import { ENVELOPE_BYTES } from "./hop-envelope.js";

/** Any message but a frame: a request with its prompt, an event, a node record. */
const MAX_CONTROL_BYTES = 16 * 1024 * 1024;
/** Of one message by which a link is measured: as much as a chunk of a prompt. */
export const MAX_ECHO_BYTES = 1024 * 1024;
/** What is known of all nodes, with the records that the other side lacks. */
export const MAX_GOSSIP_BYTES = 4 * 1024 * 1024;
/** An acknowledgement. */
const MAX_HOP_REPLY_BYTES = 1024;

/**
 * HTTP/2 bytes under way towards a server before it has read them. The default of 64 KiB allows one such piece per
 * round trip, which is 3 MB/s at 20 ms; 16 MiB fill 10 Gbit/s up to 13 ms. Towards a client the default stays, so that
 * an answer is made hardly faster than it is read.
 */
export const RECEIVE_WINDOW_BYTES = 16 * 1024 * 1024;

/** From all peers together: each of 1024 nodes has two or three. Further ones are closed as they come. */
export const MOST_CONNECTIONS = 4_096;

/** A silent peer is asked for a sign of life every 2 s, and given up 8 s later: one prefill chunk on slow Wi-Fi. */
const KEEPALIVE = { "grpc.keepalive_time_ms": 2_000, "grpc.keepalive_timeout_ms": 8_000 } as const;

const COMMON: ChannelOptions = { ...KEEPALIVE, "grpc.enable_channelz": 0 };

const CLIENT: ChannelOptions = {
  ...COMMON,
  // Each hop has a TCP connection of its own, so that nothing queues behind a prefill chunk.
  "grpc.use_local_subchannel_pool": 1,
  // A retry buffer would copy and keep every frame.
  "grpc.enable_retries": 0,
  // Peers are on the local network; a proxy set for the web must not see them.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

export function hopChannelOptions(maxFrameBytes: number): ChannelOptions {
  return {
    ...CLIENT,
    "grpc.max_send_message_length": maxFrameBytes + ENVELOPE_BYTES,
    "grpc.max_receive_message_length": MAX_HOP_REPLY_BYTES,
  };
}

export const controlChannelOptions: ChannelOptions = {
  ...CLIENT,
  "grpc.max_send_message_length": MAX_CONTROL_BYTES,
  "grpc.max_receive_message_length": MAX_CONTROL_BYTES,
};

/**
 * For the bytes of models, on a connection of its own so that heartbeats do not wait behind them. 4 MiB under way fill
 * 1 Gbit/s up to 30 ms.
 */
export const bulkChannelOptions: ChannelOptions = {
  ...controlChannelOptions,
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
};

/** One limit for both services; a ring's own, lower one is held by the hop's receiving end. */
export const serverOptions: ChannelOptions = {
  ...COMMON,
  "grpc-node.flow_control_window": RECEIVE_WINDOW_BYTES,
  "grpc.max_receive_message_length": MAX_FRAME_BYTES + ENVELOPE_BYTES,
  "grpc.max_send_message_length": MAX_CONTROL_BYTES,
  "grpc.max_concurrent_streams": 1_024,
};
