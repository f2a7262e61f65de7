import { randomBytes } from "node:crypto";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import { type Caller, callerMetadata } from "./caller.js";
import type { TransportCredentials } from "./credentials.js";
import type { EchoReply__Output } from "./generated/exo/v1/EchoReply.js";
import type { EchoRequest } from "./generated/exo/v1/EchoRequest.js";
import { controlChannelOptions, MAX_ECHO_BYTES } from "./limits.js";
import { NodeStub } from "./proto.js";
import { fromGrpcStatus } from "./status-table.js";

export interface EchoOptions {
  readonly address: HostPort;
  readonly credentials: TransportCredentials;
  readonly caller: Caller;
  readonly clock: Clock;
  /** While messages are under way, an answer has to come at least so often. */
  readonly deadlineMs: number;
}

/** A stream to a peer on a connection of its own, as a hop has one. */
export interface EchoStream {
  /**
   * Sends so many bytes; resolves with the seconds until the peer's short answer is here. Several may be under way: they
   * follow each other without waiting, as the chunks of a prompt do.
   */
  exchange(bytes: number): Promise<number>;
  close(): void;
}

interface Awaited {
  readonly sequence: number;
  readonly begun: number;
  readonly resolve: (seconds: number) => void;
  readonly reject: (error: ExoError) => void;
}

/** Connects with the first message. */
export class EchoClient implements EchoStream {
  readonly #options: EchoOptions;
  readonly #stub: InstanceType<typeof NodeStub>;
  readonly #stream: ClientDuplexStream<EchoRequest, EchoReply__Output>;
  /** Random, so that nothing on the way can make it shorter. */
  readonly #payload = randomBytes(MAX_ECHO_BYTES);
  /** In the order in which they were sent and are answered. */
  readonly #awaited: Awaited[] = [];
  #sequence = 0;
  #deadline: NodeJS.Timeout | undefined;
  #ended: ExoError | null = null;

  constructor(options: EchoOptions) {
    const { address, credentials, caller } = options;
    credentials.requireAllowed(address.host);
    this.#options = options;
    const channelOptions = { ...controlChannelOptions, ...credentials.channelOptions };
    this.#stub = new NodeStub(formatHostPort(address), credentials.channel, channelOptions);
    this.#stream = this.#stub.Echo(callerMetadata(caller));
    this.#stream.on("data", (reply: EchoReply__Output) => this.#onReply(reply));
    this.#stream.on("error", (error: ServiceError) => this.#end(fromGrpcStatus(error, this.#peer)));
    this.#stream.on("end", () => setImmediate(() => this.#end(this.#lost())));
  }

  exchange(bytes: number): Promise<number> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    this.#sequence += 1;
    const sequence = this.#sequence;
    return new Promise((resolve, reject) => {
      this.#awaited.push({ sequence, begun: this.#options.clock.monotonic(), resolve, reject });
      if (this.#awaited.length === 1) this.#armDeadline();
      this.#stream.write({ sequence, payload: this.#payload.subarray(0, bytes) });
    });
  }

  close(): void {
    this.#end(new ExoError("cancelled", "The echo stream is closed."));
  }

  get #peer(): string {
    return `The node at ${formatHostPort(this.#options.address)}`;
  }

  #onReply({ sequence }: EchoReply__Output): void {
    const [awaited] = this.#awaited;
    if (awaited?.sequence !== sequence) {
      this.#end(new ExoError("peer_incompatible", `${this.#peer} answered a message that was not sent.`));
      return;
    }
    this.#awaited.shift();
    this.#armDeadline();
    awaited.resolve((this.#options.clock.monotonic() - awaited.begun) / 1000);
  }

  #armDeadline(): void {
    clearTimeout(this.#deadline);
    if (this.#awaited.length === 0) return;
    this.#deadline = setTimeout(() => this.#end(this.#late()), this.#options.deadlineMs);
  }

  #end(error: ExoError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    clearTimeout(this.#deadline);
    for (const { reject } of this.#awaited.splice(0)) reject(error);
    this.#stream.cancel();
    this.#stub.close();
  }

  #late(): ExoError {
    return new ExoError(
      "deadline_exceeded",
      `${this.#peer} did not answer a message within ${this.#options.deadlineMs} ms.`,
    );
  }

  #lost(): ExoError {
    return new ExoError("peer_unreachable", `${this.#peer} ended the echo stream.`);
  }
}
