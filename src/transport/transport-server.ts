import { type Server as GrpcServer, Server, ServerCredentials, setLogger } from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Service } from "../core/lifecycle.js";
import { type Logger, systemClock } from "../core/ports.js";
import { ClusterCredentials } from "./cluster-credentials.js";
import { ClusterListener } from "./cluster-listener.js";
import type { NodeBuild } from "./compatibility.js";
import { ControlServer } from "./control-server.js";
import type { TransportCredentials } from "./credentials.js";
import { GuestServer } from "./guest-server.js";
import { Guests } from "./guests.js";
import type { HopServer } from "./hop-server.js";
import { InboundBytes } from "./inbound-bytes.js";
import { serverOptions } from "./limits.js";
import type { NodeService } from "./node-service.js";
import type { PeerWatch } from "./peer-watch.js";
import { hopStreamMethod, nodeService, trustService } from "./proto.js";
import { widenReceiveWindow } from "./receive-window.js";
import { callerIsCertified, refusingInterceptor } from "./refusing-interceptor.js";
import { trustHandlers } from "./trust-server.js";
import type { TrustService } from "./trust-service.js";
import type { Refusal } from "./trust-view.js";

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
  /** With the credentials of a cluster. */
  readonly trust?: TrustService;
  /** Somebody was not let in. */
  readonly onRefused?: (refusal: Refusal) => void;
}

/** What is under way may end by itself for so long when the server stops. */
const STOP_GRACE_MS = 500;

/** The one port where peers reach this node: `Node` and `Hop`. */
export class TransportServer implements Service {
  readonly name = "transport server";
  readonly #options: TransportServerOptions;
  readonly #control: ControlServer;
  #server: GrpcServer | null = null;
  /** What stands before gRPC in a cluster with a secret. */
  #door: { stopListening(): void; close(): void } | null = null;
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
    const isCluster = credentials instanceof ClusterCredentials;
    const server = new Server({
      ...serverOptions,
      ...(isCluster ? { interceptors: [refusingInterceptor(callerIsCertified)] } : {}),
    });
    server.addService(nodeService, this.#control.handlers);
    server.addService({ Stream: hopStreamMethod }, { Stream: hops.accept.bind(hops) });
    this.#port = isCluster ? await this.#openDoor(server, credentials) : await bind(server, listen, credentials.server);
    const inbound = new InboundBytes();
    widenReceiveWindow(server, logger, inbound.add);
    hops.countBytes((peer) => inbound.from(peer));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    this.#door?.stopListening();
    this.#options.hops.close();
    this.#control.close();
    await stopWithin(server, STOP_GRACE_MS);
    this.#door?.close();
    this.#door = null;
  }

  /** Members come to `server` once their certificates are known, others to a server of their own. */
  async #openDoor(server: GrpcServer, credentials: ClusterCredentials): Promise<number> {
    const { listen, logger, trust, onRefused = () => {} } = this.#options;
    if (trust === undefined) throw new ExoError("internal", "A cluster's credentials come with its trust service.");
    server.addService(trustService, trustHandlers(trust, logger));
    const members = server.createConnectionInjector(ServerCredentials.createInsecure());
    const guests = new Guests(systemClock);
    const guestServer = new GuestServer(trust, guests, logger);
    const listener = new ClusterListener({
      credentials,
      guests,
      onMember: (socket) => members.injectConnection(socket),
      onGuest: (socket) => guestServer.take(socket),
      onRefused,
    });
    this.#door = {
      stopListening: () => listener.stopListening(),
      close: () => {
        listener.close();
        guests.close();
        guestServer.close();
      },
    };
    return listener.listen(listen).catch((thrown: unknown) => {
      this.#door?.close();
      throw bindFailure(ExoError.from(thrown), formatHostPort(listen));
    });
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

function bind(server: GrpcServer, listen: HostPort, credentials: ServerCredentials): Promise<number> {
  const address = formatHostPort(listen);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
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
