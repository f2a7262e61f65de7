import { createSecureContext, type SecureContextOptions } from "node:tls";
import { ChannelCredentials, type ChannelOptions, ServerCredentials } from "@grpc/grpc-js";
import { generate } from "selfsigned";
import { ExoError } from "../core/errors.js";
import { isLoopback } from "./loopback.js";

/**
 * How connections between nodes are secured. Client and server of one node share one object, so that a later kind can
 * hold a key and decide who is let in.
 */
export interface TransportCredentials {
  readonly kind: "plaintext" | "open" | "cluster";
  readonly server: ServerCredentials;
  readonly channel: ChannelCredentials;
  /** For a connection to this node and no other, where credentials tell nodes apart. */
  channelTo(nodeId: string): ChannelCredentials;
  readonly channelOptions: ChannelOptions;
  /** Throws `invalid_argument` when this kind may not listen on, or connect to, `host`. */
  requireAllowed(host: string): void;
}

/** No encryption; only between processes of one machine. */
export function plaintextCredentials(): TransportCredentials {
  const channel = ChannelCredentials.createInsecure();
  return {
    kind: "plaintext",
    server: ServerCredentials.createInsecure(),
    channel,
    channelTo: () => channel,
    channelOptions: {},
    requireAllowed(host) {
      if (isLoopback(host)) return;
      throw new ExoError(
        "invalid_argument",
        `${host} is not an address of this machine, and connections without encryption stay on this machine; join a cluster or start with --open.`,
        { param: "host" },
      );
    },
  };
}

/**
 * TLS 1.3 with a certificate made now and kept in memory, verified by nobody: what passes is encrypted, but whoever is
 * on the network may take part, or sit in the middle.
 */
export async function openCredentials(): Promise<TransportCredentials> {
  const { private: key, cert } = await generate([{ name: "commonName", value: TLS_NAME }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
  });
  const channel = ChannelCredentials.createFromSecureContext(createSecureContext({ minVersion: TLS_VERSION }), {
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  return {
    kind: "open",
    server: new Tls13ServerCredentials({ key, cert }),
    channel,
    channelTo: () => channel,
    channelOptions: { "grpc.ssl_target_name_override": TLS_NAME },
    requireAllowed() {},
  };
}

/** Sent as server name: without it Node.js would send the peer's IP address, which TLS does not allow, and warn. */
export const TLS_NAME = "exo-native";
export const TLS_VERSION = "TLSv1.3";

/** `ServerCredentials.createSsl` leaves no way to refuse TLS 1.2. */
class Tls13ServerCredentials extends ServerCredentials {
  constructor(keyPair: SecureContextOptions) {
    super({ minVersion: TLS_VERSION }, keyPair);
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
