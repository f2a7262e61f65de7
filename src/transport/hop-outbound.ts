import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { formatHostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import { FlightLog } from "./flight-log.js";
import type { OutgoingFrame } from "./frame.js";
import type { HopReply__Output } from "./generated/exo/v1/HopReply.js";
import { HopBeats } from "./hop-beats.js";
import type { HopClient, HopClientOptions, HopStats } from "./hop-client.js";
import { noWatch } from "./peer-watch.js";
import { fromGrpcStatus } from "./status-table.js";

export type HopStream = ClientDuplexStream<Buffer, HopReply__Output>;

interface Pending {
  readonly message: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: ExoError) => void;
}

/** The sending end of an accepted stream; `InboundHop` is the other. */
export class OutboundHop implements HopClient {
  readonly #options: HopClientOptions;
  readonly #channel: Client;
  readonly #stream: HopStream;
  readonly #window: number;
  readonly #flight = new FlightLog();
  /** Not yet given to the stream, and given but not yet written. */
  readonly #waiting: Pending[] = [];
  readonly #writing = new Set<Pending>();
  #deadline: NodeJS.Timeout | null = null;
  #closing = false;
  #ended: { readonly reason: ExoError } | null = null;
  /** `null`: the receiver does not promise to be heard of. */
  readonly #beats: HopBeats | null;
  readonly #unwatch: () => void;
  readonly #whenEnded: Promise<void>;
  #resolveEnded: () => void = () => {};

  /** @param stream accepted, with no reply of it lost */
  constructor(channel: Client, stream: HopStream, accepted: HopReply__Output, options: HopClientOptions) {
    this.#channel = channel;
    this.#stream = stream;
    this.#options = options;
    this.#window = Math.max(1, Math.min(accepted.window, options.window));
    this.#whenEnded = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    stream.on("data", (reply: HopReply__Output) => this.#onReply(reply));
    stream.on("error", (error: ServiceError) => this.#end(fromGrpcStatus(error, peerName(options))));
    stream.on("end", () => setImmediate(() => this.#onRemoteEnd()));
    const { beatMs } = accepted;
    const { clock, watch = noWatch, nextNode = "" } = options;
    const wellAt = (): number | null => watch.wellAt(nextNode);
    this.#beats = beatMs > 0 ? new HopBeats({ beatMs, clock, wellAt, onSilent: () => this.#end(this.#mute()) }) : null;
    this.#unwatch = watch.onSilent(nextNode, (reason) => this.#end(reason));
  }

  send(frame: OutgoingFrame): Promise<void> {
    const refusal = this.#refusal(frame);
    if (refusal !== null) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message: frame.message, resolve, reject });
      this.#pump();
    });
  }

  close(): Promise<void> {
    if (!this.#closing && this.#ended === null) {
      this.#closing = true;
      this.#pump();
      const giveUp = setTimeout(
        () => this.#end(this.#flight.inFlight > 0 ? this.#late() : null),
        this.#options.frameDeadlineMs,
      );
      void this.#whenEnded.then(() => clearTimeout(giveUp));
    }
    return this.#whenEnded;
  }

  fail(reason: ExoError): void {
    this.#end(reason);
  }

  stats(): HopStats {
    return {
      framesSent: this.#flight.framesSent,
      bytesSent: this.#flight.bytesSent,
      framesInFlight: this.#flight.inFlight,
    };
  }

  #refusal(frame: OutgoingFrame): ExoError | null {
    if (this.#ended !== null) return this.#ended.reason;
    if (this.#closing) return closed();
    const { maxFrameBytes } = this.#options;
    if (frame.frame.byteLength <= maxFrameBytes) return null;
    return new ExoError(
      "bad_frame",
      `A frame of ${frame.frame.byteLength} bytes was not sent: this ring's frames have at most ${maxFrameBytes}.`,
    );
  }

  #pump(): void {
    while (this.#flight.inFlight < this.#window) {
      const pending = this.#waiting.shift();
      if (pending === undefined) break;
      this.#write(pending);
    }
    if (this.#closing && this.#waiting.length === 0 && !this.#stream.writableEnded) this.#stream.end();
  }

  #write(pending: Pending): void {
    const { buffer, byteOffset, byteLength } = pending.message;
    this.#flight.sent(byteLength, this.#options.clock.monotonic());
    this.#writing.add(pending);
    this.#stream.write(Buffer.from(buffer, byteOffset, byteLength), () => {
      if (this.#writing.delete(pending)) pending.resolve();
    });
    if (this.#deadline === null) this.#armDeadline(this.#options.frameDeadlineMs);
  }

  #onReply(reply: HopReply__Output): void {
    this.#beats?.heard();
    this.#options.watch?.heard(this.#options.nextNode ?? "");
    if (!this.#flight.taken(reply.taken)) {
      this.#end(new ExoError("bad_frame", `${peerName(this.#options)} acknowledged frames that were never sent.`));
      return;
    }
    this.#pump();
  }

  /** Left running while frames come and go: a timer for each frame would cost more than the frame. */
  #armDeadline(afterMs: number): void {
    this.#deadline = setTimeout(() => {
      this.#deadline = null;
      const oldest = this.#flight.oldestSentAt;
      if (oldest === null) return;
      const left = oldest + this.#options.frameDeadlineMs - this.#options.clock.monotonic();
      if (left > 0) this.#armDeadline(left);
      else this.#end(this.#late());
    }, afterMs);
    this.#deadline.unref();
  }

  /** The receiver ended the stream with status OK; an error has its own event, in the same turn of the event loop. */
  #onRemoteEnd(): void {
    if (this.#closing && this.#flight.inFlight === 0) this.#end(null);
    else this.#end(new ExoError("stage_lost", `${peerName(this.#options)} ended the hop stream.`));
  }

  #end(error: ExoError | null): void {
    if (this.#ended !== null) return;
    this.#ended = { reason: error ?? closed() };
    this.#beats?.stop();
    this.#unwatch();
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    for (const pending of [...this.#waiting, ...this.#writing]) pending.reject(this.#ended.reason);
    this.#waiting.length = 0;
    this.#writing.clear();
    this.#stream.cancel();
    this.#channel.close();
    this.#options.logger.info(
      { ...this.#options.edge, code: error?.code ?? null },
      error?.message ?? "Hop stream closed",
    );
    this.#resolveEnded();
    this.#options.onClosed(error);
  }

  #mute(): ExoError {
    return new ExoError(
      "peer_unreachable",
      `${peerName(this.#options)} fell silent: nothing comes back on the hop any more.`,
    );
  }

  #late(): ExoError {
    return new ExoError(
      "deadline_exceeded",
      `${peerName(this.#options)} did not take a frame within ${this.#options.frameDeadlineMs} ms.`,
    );
  }
}

function closed(): ExoError {
  return new ExoError("cancelled", "This hop stream is closed; no frame can be sent on it.");
}

export function peerName(options: HopClientOptions): string {
  return `The node at ${formatHostPort(options.address)}`;
}
