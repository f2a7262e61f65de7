import type { ServerHttp2Session } from "node:http2";

/** How much has come over each open connection, however little of a message that is. */
export class InboundBytes {
  /** By the caller's `address:port`, as gRPC writes it. */
  readonly #sessions = new Map<string, ServerHttp2Session>();

  readonly add = (session: ServerHttp2Session): void => {
    const { remoteAddress, remotePort } = session.socket;
    const peer = `${remoteAddress}:${remotePort}`;
    this.#sessions.set(peer, session);
    session.once("close", () => {
      if (this.#sessions.get(peer) === session) this.#sessions.delete(peer);
    });
  };

  /** 0 for one that is not known. */
  from(peer: string): number {
    const session = this.#sessions.get(peer);
    return session === undefined || session.destroyed ? 0 : session.socket.bytesRead;
  }
}
