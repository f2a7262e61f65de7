import { type Server as GrpcServer, Server, setLogger } from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Service } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";
import type { NodeBuild } from "./compatibility.js";
import { ControlServer } from "./control-server.js";
import type { TransportCredentials } from "./credentials.js";
import type { HopServer } from "./hop-server.js";
import { InboundBytes } from "./inbound-bytes.js";
import { serverOptions } from "./limits.js";
import type { NodeService } from "./node-service.js";
import type { PeerWatch } from "./peer-watch.js";
import { hopStreamMethod, nodeService } from "./proto.js";
import { widenReceiveWindow } from "./receive-window.js";

export interface TransportServerOptions {
  /** Port 0: any free one; `address` tells which. */
  readonly listen: HostPort;
  readonly credentials: TransportCredentials;
  readonly build: NodeBuild;
  readonly service: NodeService;
  readonly hops: HopServer;
  /** Is told of whoever calls. */
  readonly watch?: PeerWatch;
  readonly logger: Logger;
}

/** What is under way may end by itself for so long when the server stops. */
const STOP_GRACE_MS = 500;

/** The one port where peers reach this node: `Node` and `Hop`. */
export class TransportServer implements Service {
  readonly name = "transport server";
  readonly #options: TransportServerOptions;
  readonly #control: ControlServer;
  #server: GrpcServer | null = null;
  #port = 0;

  constructor(options: TransportServerOptions) {
    this.#options = options;
    this.#control = new ControlServer(options);
  }

  /** Where it listens, once started. */
  get address(): HostPort {
    return { host: this.#options.listen.host, port: this.#port };
  }

  async start(): Promise<void> {
    const { listen, credentials, hops, logger } = this.#options;
    credentials.requireAllowed(listen.host);
    sendGrpcLogTo(logger);
    const server = new Server(serverOptions);
    server.addService(nodeService, this.#control.handlers);
    server.addService({ Stream: hopStreamMethod }, { Stream: hops.accept.bind(hops) });
    this.#port = await bind(server, listen, credentials);
    const inbound = new InboundBytes();
    widenReceiveWindow(server, logger, inbound.add);
    hops.countBytes((peer) => inbound.from(peer));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    this.#options.hops.close();
    this.#control.close();
    await stopWithin(server, STOP_GRACE_MS);
  }
}

/** A connection that never spoke HTTP/2 keeps `tryShutdown` waiting for ever, also after `forceShutdown`. */
function stopWithin(server: GrpcServer, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}

function bind(server: GrpcServer, listen: HostPort, credentials: TransportCredentials): Promise<number> {
  const address = formatHostPort(listen);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials.server, (error, port) => {
      if (error === null) resolve(port);
      else reject(bindFailure(error, address));
    });
  });
}

/** gRPC keeps only the text of what went wrong. */
function bindFailure(error: Error, address: string): ExoError {
  if (error.message.includes("EADDRINUSE")) {
    return new ExoError("port_in_use", `Another program listens on ${address}; choose another port with --grpc.`, {
      cause: error,
    });
  }
  if (error.message.includes("EACCES")) {
    return new ExoError(
      "invalid_argument",
      `This user may not listen on ${address}; choose a port above 1023 with --grpc.`,
      { cause: error },
    );
  }
  return new ExoError("invalid_argument", `Cannot listen on ${address}: ${error.message}`, { cause: error });
}

/** gRPC would write to stderr by itself. */
function sendGrpcLogTo(logger: Logger): void {
  const write = (message?: unknown): void => logger.debug({ source: "grpc" }, String(message));
  setLogger({ error: write, info: write, debug: write });
}
