import type { TLSSocket } from "node:tls";
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Logger } from "../core/ports.js";
import type { Guests } from "./guests.js";
import { hopStreamMethod, joinService, nodeService, trustService } from "./proto.js";
import { refusingInterceptor } from "./refusing-interceptor.js";
import { MAX_JOIN_BYTES } from "./trust-messages.js";
import { unauthorized } from "./trust-refusal.js";
import { joinHandlers } from "./trust-server.js";
import type { TrustService } from "./trust-service.js";

const MEMBERS_ONLY =
  "This node is in a cluster with a secret, and the caller is not: let it join with a token (`exo-native cluster invite` here, " +
  "`exo-native cluster join` there).";

/**
 * The gRPC server for those who are not members: it takes a request to join, and answers everything else with the reason,
 * before its message is read.
 */
export class GuestServer {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;

  constructor(service: Pick<TrustService, "join">, guests: Guests, logger: Logger) {
    const join = joinService.Join.path;
    const verdict = refusingInterceptor((path, call) => {
      const sentence = guests.sentenceFor(call.getPeer());
      if (sentence === null && path === join) return null;
      return unauthorized(sentence ?? MEMBERS_ONLY);
    });
    this.#server = new Server({
      "grpc.max_receive_message_length": MAX_JOIN_BYTES,
      "grpc.max_concurrent_streams": 4,
      "grpc.enable_channelz": 0,
      interceptors: [verdict],
    });
    this.#server.addService(joinService, joinHandlers(service, logger));
    for (const others of [nodeService, trustService, { Stream: hopStreamMethod }]) {
      this.#server.addService(others, refusedMethods(others));
    }
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  take(socket: TLSSocket): void {
    this.#injector.injectConnection(socket);
  }

  close(): void {
    this.#injector.destroy();
    this.#server.forceShutdown();
  }
}

/** Never called: the interceptor has answered. gRPC wants a handler for each method that it knows. */
function refusedMethods(service: ServiceDefinition): UntypedServiceImplementation {
  const refuse: UntypedServiceImplementation[string] = (call: { destroy?: () => void }) => call.destroy?.();
  return Object.fromEntries(Object.keys(service).map((method) => [method, refuse]));
}
