import type { ServerDuplexStream } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import { requireCaller } from "./caller.js";
import type { NodeBuild } from "./compatibility.js";
import type { EchoReply } from "./generated/exo/v1/EchoReply.js";
import type { EchoRequest__Output } from "./generated/exo/v1/EchoRequest.js";
import { MAX_ECHO_BYTES } from "./limits.js";
import { toGrpcStatus } from "./status-table.js";

type EchoCall = ServerDuplexStream<EchoRequest__Output, EchoReply>;

/** A link is measured in seconds; a stream that stays longer was forgotten. */
const LONGEST_STREAM_MS = 120_000;

/** The receiving end of `Node.Echo`: says of each message that it came, and reads no further than its answers are taken. */
export class EchoServer {
  readonly #build: NodeBuild;
  /** Ends one stream each. */
  readonly #streams = new Set<(error: ExoError) => void>();

  constructor(build: NodeBuild) {
    this.#build = build;
  }

  accept(call: EchoCall): void {
    const end = (error: ExoError): void => {
      if (forget()) call.emit("error", toGrpcStatus(error));
    };
    const forget = (): boolean => {
      clearTimeout(timer);
      return this.#streams.delete(end);
    };
    const timer = setTimeout(() => {
      end(new ExoError("deadline_exceeded", `An echo stream may stay for ${LONGEST_STREAM_MS / 1000} s.`));
    }, LONGEST_STREAM_MS).unref();
    this.#streams.add(end);
    call.on("cancelled", forget);
    call.on("end", () => {
      if (forget()) call.end();
    });
    try {
      requireCaller(call.metadata, this.#build, call.getPeer());
    } catch (thrown) {
      end(ExoError.from(thrown));
      return;
    }
    call.on("data", (message: EchoRequest__Output) => {
      if (!this.#streams.has(end)) return;
      if (message.payload.byteLength > MAX_ECHO_BYTES) end(tooLong(message.payload.byteLength));
      else if (!call.write({ sequence: message.sequence })) pauseUntilDrained(call);
    });
  }

  close(reason: ExoError): void {
    for (const end of [...this.#streams]) end(reason);
  }
}

function pauseUntilDrained(call: EchoCall): void {
  call.pause();
  call.once("drain", () => call.resume());
}

function tooLong(bytes: number): ExoError {
  return new ExoError("invalid_argument", `A message of ${bytes} bytes was not echoed; allowed: ${MAX_ECHO_BYTES}.`);
}
