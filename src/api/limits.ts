import type { Server } from "node:http";

/** Of `fastify`: what a client may take before it has asked anything. Times in milliseconds. */
export const SERVER_LIMITS = {
  // A body that trickles in must not hold a connection for ever.
  requestTimeout: 120_000,
  /** Of a connection without a request. */
  keepAliveTimeout: 72_000,
  http: {
    /** Bytes, the address included. */
    maxHeaderSize: 16 * 1024,
    headersTimeout: 20_000,
    connectionsCheckingInterval: 5000,
  },
};

export interface ConnectionLimits {
  readonly maxConnections?: number;
  /** A client that reads nothing of an answer for this long is cut off. */
  readonly stalledClientMilliseconds?: number;
}

/** A whole answer waits in memory for a client that does not read it, so that waiting has an end as a stream's has. */
const STALLED_MS = 60_000;

export function limitConnections(
  server: Server,
  { maxConnections, stalledClientMilliseconds = STALLED_MS }: ConnectionLimits,
): void {
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
  server.on("request", (_request, response) => {
    // All of it is handed over, and may not have left.
    response.once("prefinish", () => response.socket?.setTimeout(stalledClientMilliseconds));
  });
}
