import type { Socket } from "node:net";
import { connect, type PeerCertificate, type SecureContext, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import { TLS_NAME } from "./credentials.js";
import { certifiedNode, isCertifiedFor } from "./peer-certificate.js";
import type { PeerConnections } from "./peer-connections.js";
import { refusalError, sentenceForTls } from "./trust-refusal.js";
import type { TrustView } from "./trust-view.js";

export interface ClusterChannelOptions {
  readonly trust: TrustView;
  /** As of now: keys change while a channel is used. */
  readonly context: () => SecureContext;
  readonly connections: PeerConnections;
  /** The only node that may answer; `null`: whichever member answers first, and then no other. */
  readonly nodeId: string | null;
}

type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * Mutual TLS to members of the cluster. A channel connects anew when its connection is lost; each time this node shows
 * the certificate that it has then, and the other one has to be the same node as before.
 */
export class ClusterChannel extends ChannelCredentials {
  readonly #options: ClusterChannelOptions;
  #answering: string | null = null;

  constructor(options: ClusterChannelOptions) {
    super();
    this.#options = options;
  }

  /** Whether the node that answers may say that it is this one. */
  isFor(nodeId: string): boolean {
    return this.#answering !== null && isCertifiedFor(this.#answering, nodeId);
  }

  _isSecure(): boolean {
    return true;
  }

  _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  _createSecureConnector(
    ...[, , callCredentials]: Parameters<ChannelCredentials["_createSecureConnector"]>
  ): Connector {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: true }),
      waitForReady: async () => {},
      getCallCredentials: () => callCredentials ?? CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  #secure(socket: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const secured = connect({
        socket,
        secureContext: this.#options.context(),
        servername: TLS_NAME,
        ALPNProtocols: ["h2"],
        rejectUnauthorized: true,
        checkServerIdentity: (_, certificate) => this.#refusal(certificate),
      });
      // Stays: an error without a listener would end the process.
      secured.on("error", (error: NodeJS.ErrnoException) => reject(asRefusal(error)));
      secured.once("close", () => reject(new Error("The connection was closed.")));
      secured.once("secureConnect", () => {
        this.#remember(secured);
        resolve(secured);
      });
    });
  }

  #refusal(certificate: PeerCertificate): Error | undefined {
    const { trust, nodeId } = this.#options;
    const peer = certifiedNode(certificate);
    if (peer === null) return refusalError("Its certificate is not one of a node.");
    const reason = trust.whyRefused(peer);
    if (reason !== null) return refusalError(reason);
    const isExpected = nodeId === null || isCertifiedFor(peer.id, nodeId);
    if (isExpected && (this.#answering === null || this.#answering === peer.id)) return undefined;
    return refusalError(`Another node of the cluster answers there (${peer.id}).`);
  }

  #remember(secured: TLSSocket): void {
    const { trust, connections } = this.#options;
    const peer = certifiedNode(secured.getPeerCertificate());
    if (peer === null) return;
    this.#answering = peer.id;
    connections.add(secured, peer);
    trust.met(peer);
  }
}

function asRefusal(error: NodeJS.ErrnoException): Error {
  const sentence = sentenceForTls(error.code);
  return sentence === null ? error : refusalError(sentence);
}
