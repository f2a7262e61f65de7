import type { TLSSocket } from "node:tls";
import type { Clock } from "../core/ports.js";

/** Connections of those who are not in the cluster, at a time. */
const MOST_GUESTS = 32;
/** A guest asks one question. */
const LIFETIME_MS = 20_000;
/** Per host: an open node that looks for others calls every few seconds. */
const MOST_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
const MOST_HOSTS = 1024;

/**
 * Those who may only ask to join, or are to be told why they are refused. What they can cost is bounded: few at a time, for
 * a short time, and not too often.
 */
export class Guests {
  readonly #clock: Clock;
  /** By `host:port` of the guest: why it is refused, or `null` for one that may ask to join. */
  readonly #sentences = new Map<string, string | null>();
  readonly #sockets = new Set<TLSSocket>();
  #calls = new Map<string, number>();
  #countedSince = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether there is room; if not, the connection is ended. */
  admit(socket: TLSSocket, sentence: string | null): boolean {
    const key = `${socket.remoteAddress}:${socket.remotePort}`;
    if (
      socket.remoteAddress === undefined ||
      this.#sockets.size >= MOST_GUESTS ||
      this.#isTooOften(socket.remoteAddress)
    ) {
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    this.#sentences.set(key, sentence);
    const timer = setTimeout(() => socket.destroy(), LIFETIME_MS).unref();
    socket.once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
      this.#sentences.delete(key);
    });
    return true;
  }

  /** @param peer as gRPC writes it; `undefined`: nobody who was admitted */
  sentenceFor(peer: string): string | null | undefined {
    return this.#sentences.get(peer);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #isTooOften(host: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#countedSince >= MINUTE_MS || this.#calls.size >= MOST_HOSTS) {
      this.#calls = new Map();
      this.#countedSince = now;
    }
    const calls = (this.#calls.get(host) ?? 0) + 1;
    this.#calls.set(host, calls);
    return calls > MOST_PER_MINUTE;
  }
}
