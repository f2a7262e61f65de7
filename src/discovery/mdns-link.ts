import type { Packet } from "dns-packet";
import type { Clock } from "../core/ports.js";
import { type Announcement, asksFor, type Heard, heardIn, QUESTION, TTL_SECONDS, toPacket } from "./announcement.js";
import type { MulticastLink, MulticastSocket, OpenMulticast } from "./multicast-socket.js";
import type { Sleep } from "./peer-source.js";

export interface MdnsLinkOptions {
  readonly link: MulticastLink;
  /** Own addresses on this link, as peers there can use them. */
  readonly addresses: readonly string[];
  /** Whether a sender is on this link: the system hands packets of all links to each socket of the port. */
  readonly isHere: (from: string) => boolean;
  readonly own: () => Announcement;
  readonly open: OpenMulticast;
  readonly onHeard: (heard: Heard, from: string) => void;
  readonly sleep: Sleep;
  readonly clock: Clock;
}

const OPEN_AGAIN_MS = 10_000;
/** Milliseconds between unasked announcements (RFC 6762, 8.3: at least two, a second apart). */
const ANNOUNCE_PAUSES = [1_000, 2_000];
/** Between questions; the last one goes on (5.2). */
const ASK_PAUSES = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
/** What was said is not said again sooner (6). */
const LEAST_BETWEEN_ANSWERS_MS = 1_000;
/** Others who answer the same question speak in this time, too. */
const ANSWER_SPREAD_MS = 100;

/** This node on one link: announces it, answers who asks, asks who else is there. */
export class MdnsLink {
  readonly #options: MdnsLinkOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #socket: MulticastSocket | null = null;
  #saidAt = Number.NEGATIVE_INFINITY;
  #answering = false;
  #fault: string | null = null;

  constructor(options: MdnsLinkOptions) {
    this.#options = options;
    this.#do(this.#open());
  }

  /** Why nothing can be said or heard here, or `null`. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Says goodbye where it can. */
  async close(): Promise<void> {
    this.#stopping.abort();
    const socket = this.#socket;
    this.#socket = null;
    await socket?.send(toPacket(this.#options.own(), this.#options.addresses, 0)).catch(() => {});
    await socket?.close();
    await Promise.all(this.#running);
  }

  /** Again and again: an interface may be there before the system lets it be used. */
  async #open(): Promise<void> {
    while (!this.#stopping.signal.aborted && this.#socket === null) {
      await this.#tryToOpen();
      if (this.#socket === null) await this.#wait(OPEN_AGAIN_MS);
    }
    if (this.#stopping.signal.aborted) return;
    this.#do(this.#announce());
    this.#do(this.#ask());
  }

  async #tryToOpen(): Promise<void> {
    const { open, link } = this.#options;
    try {
      const socket = await open(link, {
        onPacket: (packet, from) => this.#received(packet, from),
        onError: (error) => this.#failed(error),
      });
      if (this.#stopping.signal.aborted) await socket.close();
      else this.#socket = socket;
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #do(work: Promise<void>): void {
    const done = work.finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #announce(): Promise<void> {
    await this.#say();
    for (const pause of ANNOUNCE_PAUSES) {
      if (await this.#wait(pause)) await this.#say();
    }
  }

  async #ask(): Promise<void> {
    for (let turn = 0; !this.#stopping.signal.aborted; turn += 1) {
      await this.#send(QUESTION);
      await this.#wait(ASK_PAUSES[Math.min(turn, ASK_PAUSES.length - 1)] ?? 0);
    }
  }

  #received(packet: Packet, from: string): void {
    if (this.#stopping.signal.aborted || !this.#options.isHere(from)) return;
    if (asksFor(packet, this.#options.own().nodeId)) this.#answer();
    for (const heard of heardIn(packet)) this.#options.onHeard(heard, from);
  }

  /** One answer for all who ask at about the same time. */
  #answer(): void {
    if (this.#answering) return;
    this.#answering = true;
    const sinceLast = this.#options.clock.monotonic() - this.#saidAt;
    const pause = Math.max(ANSWER_SPREAD_MS * Math.random(), LEAST_BETWEEN_ANSWERS_MS - sinceLast);
    this.#do(
      this.#wait(pause).then(async (goOn) => {
        this.#answering = false;
        if (goOn) await this.#say();
      }),
    );
  }

  async #say(): Promise<void> {
    this.#saidAt = this.#options.clock.monotonic();
    await this.#send(toPacket(this.#options.own(), this.#options.addresses, TTL_SECONDS));
  }

  async #send(packet: Packet): Promise<void> {
    try {
      await this.#socket?.send(packet);
      this.#fault = null;
    } catch (thrown) {
      if (!this.#stopping.signal.aborted) this.#failed(thrown);
    }
  }

  /** Whether to go on. */
  async #wait(milliseconds: number): Promise<boolean> {
    await this.#options.sleep(milliseconds, this.#stopping.signal).catch(() => {});
    return !this.#stopping.signal.aborted;
  }

  #failed(thrown: unknown): void {
    this.#fault = thrown instanceof Error ? thrown.message : String(thrown);
  }
}
