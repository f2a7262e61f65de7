import type { TLSSocket } from "node:tls";
import type { CertifiedNode } from "./peer-certificate.js";

/** The open connections to and from nodes of the cluster, so that those of one can be ended. */
export class PeerConnections {
  readonly #open = new Map<TLSSocket, CertifiedNode>();

  add(socket: TLSSocket, peer: CertifiedNode): void {
    if (socket.destroyed) return;
    this.#open.set(socket, peer);
    socket.once("close", () => this.#open.delete(socket));
  }

  /** Ends those with nodes for which there is a reason. */
  refuse(whyRefused: (peer: CertifiedNode) => string | null): void {
    for (const [socket, peer] of this.#open) if (whyRefused(peer) !== null) socket.destroy();
  }

  get size(): number {
    return this.#open.size;
  }
}
