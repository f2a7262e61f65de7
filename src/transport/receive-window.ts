import { EventEmitter } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import { Server as NetServer } from "node:net";
import type { Server } from "@grpc/grpc-js";
import type { Logger } from "../core/ports.js";
import { MOST_CONNECTIONS, RECEIVE_WINDOW_BYTES } from "./limits.js";

/**
 * Bounds what peers may take of the listener, and lets them send `RECEIVE_WINDOW_BYTES` before they wait for this node.
 * @grpc/grpc-js reads the option `grpc-node.flow_control_window` only in clients (grpc/grpc-node pull request 3058 asks for it in servers) and keeps its
 * HTTP/2 listeners to itself, so they are looked up by name; where they are not found, hops over slow links are slow.
 */
export function widenReceiveWindow(
  server: Server,
  logger: Logger,
  onSession: (session: ServerHttp2Session) => void = () => {},
): void {
  const listeners: unknown = Reflect.get(server, "http2Servers");
  if (!(listeners instanceof Map) || listeners.size === 0) {
    logger.warn({}, "The gRPC server's receive window stays at 64 KiB: its HTTP/2 listeners were not found");
    return;
  }
  for (const listener of listeners.keys()) {
    if (listener instanceof EventEmitter) listener.on("session", widen).on("session", onSession);
    if (listener instanceof NetServer) listener.maxConnections = MOST_CONNECTIONS;
  }
}

function widen(session: ServerHttp2Session): void {
  session.settings({ initialWindowSize: RECEIVE_WINDOW_BYTES });
  session.setLocalWindowSize(RECEIVE_WINDOW_BYTES);
}
