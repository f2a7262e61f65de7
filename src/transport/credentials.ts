import { createSecureContext } from "node:tls";
import type { ChannelCredentials, ChannelOptions, ServerCredentials } from "@grpc/grpc-js";
import { generate } from "selfsigned";
import { ExoError } from "../core/errors.js";

/**
 * How connections between nodes are secured. Client and server of one node share one object, so that a later kind can
 * hold a key and decide who is let in.
 */
export interface TransportCredentials {
  readonly kind: "plaintext" | "open";
  readonly server: ServerCredentials;
  readonly channel: ChannelCredentials;
  readonly channelOptions: ChannelOptions;
  /** Throws `invalid_argument` when this kind may not listen on, or connect to, `host`. */
  requireAllowed(host: string): void;
}
