import { constants } from "node:crypto";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { HostPort } from "../config/address.js";
import type { ClusterCredentials } from "./cluster-credentials.js";
import type { Guests } from "./guests.js";
import { type CertifiedNode, certifiedNode } from "./peer-certificate.js";
import { sentenceForTls } from "./trust-refusal.js";
import type { Refusal } from "./trust-view.js";

export interface ClusterListenerOptions {
  readonly credentials: ClusterCredentials;
  readonly guests: Guests;
  /** Takes a connection of a member. */
  readonly onMember: (socket: TLSSocket) => void;
  /** Takes one that may only ask to join, or is told why it may not. */
  readonly onGuest: (socket: TLSSocket) => void;
  readonly onRefused: (refusal: Refusal) => void;
}

const HANDSHAKE_MS = 10_000;
/** At a time, members and others together. */
const MOST_CONNECTIONS = 4096;

/**
 * The port of a node in a cluster with a secret. Who comes is known by the certificate before a byte of HTTP is read: a
 * member is passed on, one of another cluster is dropped here.
 */
export class ClusterListener {
  readonly #options: ClusterListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  readonly #unfollow: () => void;

  constructor(options: ClusterListenerOptions) {
    const { credentials } = options;
    this.#options = options;
    this.#server = createServer({
      ...serverContext(credentials),
      requestCert: true,
      // One without a certificate may ask to join; all others are dropped in #accept, when OpenSSL has judged them.
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      handshakeTimeout: HANDSHAKE_MS,
      noDelay: true,
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on("secureConnection", (socket) => this.#accept(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
    this.#unfollow = credentials.trust.onChange(() => this.#server.setSecureContext(serverContext(credentials)));
  }

  /** Resolves with the port; rejects with the system's error. */
  listen({ host, port }: HostPort): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        // Running out of file handles, say, ends no process.
        this.#server.on("error", () => {});
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes nobody else. */
  stopListening(): void {
    this.#unfollow();
    this.#server.close();
  }

  close(): void {
    this.stopListening();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: TLSSocket): void {
    socket.on("error", () => {});
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (socket.alpnProtocol !== "h2") socket.destroy();
    else if (Object.keys(socket.getPeerCertificate()).length === 0) this.#welcome(socket, null);
    else this.#judge(socket);
  }

  #judge(socket: TLSSocket): void {
    const { credentials, onMember } = this.#options;
    const peer = certifiedNode(socket.getPeerCertificate());
    if (peer === null || !socket.authorized) {
      this.#refuse(socket, peer);
      return;
    }
    const reason = credentials.trust.whyRefused(peer);
    if (reason !== null) {
      this.#tell(socket, peer.id, reason);
      this.#welcome(socket, reason);
      return;
    }
    credentials.connections.add(socket, peer);
    credentials.trust.met(peer);
    onMember(socket);
  }

  /** A certificate that does not count. One that only came too late or too early hears so. */
  #refuse(socket: TLSSocket, peer: CertifiedNode | null): void {
    const code = String(socket.authorizationError);
    const reason = sentenceForTls(code) ?? `Its certificate does not count here (${code}).`;
    const isOurs = peer !== null && (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID");
    this.#tell(socket, isOurs ? peer.id : null, reason);
    if (isOurs) this.#welcome(socket, reason);
    else socket.destroy();
  }

  #welcome(socket: TLSSocket, sentence: string | null): void {
    if (this.#options.guests.admit(socket, sentence)) this.#options.onGuest(socket);
  }

  /** Who only looks whether the port is open says nothing of interest. */
  #failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const reason = sentenceForTls(error.code);
    if (reason !== null) this.#tell(socket, null, reason);
    socket.destroy();
  }

  #tell({ remoteAddress }: TLSSocket, nodeId: string | null, reason: string): void {
    if (remoteAddress === undefined) return;
    this.#options.onRefused({ host: remoteAddress.replace(/^::ffff:(?=[\d.]+$)/, ""), nodeId, reason });
  }
}

/** Every connection shows its certificate: none goes on where an earlier one ended. */
function serverContext(credentials: ClusterCredentials) {
  return { ...credentials.contextOptions(), secureOptions: constants.SSL_OP_NO_TICKET };
}
