import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { type ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";
import { ClusterChannel } from "./cluster-channel.js";
import { TLS_VERSION, type TransportCredentials } from "./credentials.js";
import { PeerConnections } from "./peer-connections.js";
import type { TrustView } from "./trust-view.js";

/**
 * Mutual TLS 1.3 between members of a cluster with a secret. Keys, authorities and revocations may change at any time:
 * new connections go by the new ones, and connections with nodes that are out are ended.
 */
export class ClusterCredentials implements TransportCredentials {
  readonly kind = "cluster";
  /** Connections come to gRPC when they are secured (`ClusterListener`). */
  readonly server = ServerCredentials.createInsecure();
  readonly channelOptions = {};
  readonly trust: TrustView;
  readonly connections = new PeerConnections();
  #context: SecureContext | null = null;

  constructor(trust: TrustView) {
    this.trust = trust;
    trust.onChange(() => {
      this.#context = null;
      this.connections.refuse((peer) => trust.whyRefused(peer));
    });
  }

  get channel(): ChannelCredentials {
    return this.#channel(null);
  }

  channelTo(nodeId: string): ChannelCredentials {
    return this.#channel(nodeId);
  }

  requireAllowed(): void {}

  /** For both ends of a connection. */
  contextOptions(): SecureContextOptions {
    const { key, certificates, authorities } = this.trust.material();
    return { key, cert: certificates, ca: [...authorities], minVersion: TLS_VERSION };
  }

  #channel(nodeId: string | null): ChannelCredentials {
    const context = (): SecureContext => {
      this.#context ??= createSecureContext(this.contextOptions());
      return this.#context;
    };
    return new ClusterChannel({ trust: this.trust, context, connections: this.connections, nodeId });
  }
}
