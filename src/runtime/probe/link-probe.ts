import type { LinkRecord } from "../../cluster/link-record.js";
import type { Member } from "../../cluster/membership.js";
import { ExoError } from "../../core/errors.js";
import type { Service } from "../../core/lifecycle.js";
import type { Clock, Logger } from "../../core/ports.js";
import { pause } from "../../core/waiting.js";
import type { EchoStream } from "../../transport/echo-client.js";
import { type MeasuredLink, measureLink } from "./link-measure.js";

type Peer = Pick<Member, "id" | "name" | "address">;

export interface LinkProbeOptions {
  /** Who is there now. */
  readonly peers: () => readonly Peer[];
  /** Calls back when peers come or go; returns the way to unsubscribe. */
  readonly onChange: (listener: () => void) => () => void;
  readonly open: (peer: Peer) => EchoStream;
  /** This node has other work, beside which a link looks slow. */
  readonly busy: () => boolean;
  /** Of one row of activations. */
  readonly rowBytes: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Known {
  readonly link: MeasuredLink | null;
  /** By the monotonic clock. */
  readonly dueAt: number;
}

const EVERY_MS = 5 * 60_000;
/** After a failure, and while this node is busy. */
const AGAIN_MS = 10_000;

/** Measures the ways from this node to the others: each when it appears, and again every few minutes, one at a time. */
export class LinkProbe implements Service {
  readonly name = "link probe";
  readonly #options: LinkProbeOptions;
  readonly #known = new Map<string, Known>();
  readonly #stop = new AbortController();
  #unsubscribe: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #wake: () => void = () => {};

  constructor(options: LinkProbeOptions) {
    this.#options = options;
  }

  /** As measured last. */
  links(): LinkRecord[] {
    return this.#options.peers().flatMap(({ id }) => {
      const link = this.#known.get(id)?.link;
      return link === null || link === undefined ? [] : { to: id, ...link };
    });
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#options.onChange(() => this.#wake());
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#stop.abort();
    this.#wake();
    await this.#running;
  }

  /** Measures what is due. Never rejects. */
  async round(signal: AbortSignal): Promise<void> {
    const { peers, clock } = this.#options;
    this.#forget();
    for (const peer of peers()) {
      const due = this.#known.get(peer.id)?.dueAt ?? 0;
      if (!signal.aborted && due <= clock.monotonic()) await this.#measure(peer, signal);
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.round(signal);
      if (!signal.aborted) await this.#untilChange(signal);
    }
  }

  /** A newcomer need not wait for the others' next turn. */
  async #untilChange(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await pause(AGAIN_MS, AbortSignal.any([signal, woken.signal]));
  }

  async #measure(peer: Peer, signal: AbortSignal): Promise<void> {
    const { busy, open, rowBytes, clock, logger } = this.#options;
    const before = this.#known.get(peer.id)?.link ?? null;
    if (busy()) {
      this.#keep(peer, before, AGAIN_MS);
      return;
    }
    let stream: EchoStream | null = null;
    const hangUp = (): void => stream?.close();
    signal.addEventListener("abort", hangUp, { once: true });
    try {
      stream = open(peer);
      const link = await measureLink(stream, rowBytes());
      // What was measured beside other work counts only as long as there is nothing better.
      const disturbed = busy();
      this.#keep(peer, disturbed ? (before ?? link) : link, disturbed ? AGAIN_MS : EVERY_MS);
      const { seconds, bytesPerSecond } = link;
      logger.debug(
        { node: peer.name, milliseconds: seconds * 1000, bytesPerSecond, at: clock.wall() },
        "link measured",
      );
    } catch (thrown) {
      this.#keep(peer, before, AGAIN_MS);
      if (!signal.aborted) {
        logger.debug({ node: peer.name, error: ExoError.from(thrown).message }, "a link could not be measured");
      }
    } finally {
      signal.removeEventListener("abort", hangUp);
      stream?.close();
    }
  }

  #keep(peer: Peer, link: MeasuredLink | null, afterMs: number): void {
    this.#known.set(peer.id, { link, dueAt: this.#options.clock.monotonic() + afterMs });
  }

  /** A node that comes back is measured anew: it may be on another network now. */
  #forget(): void {
    const present = new Set(this.#options.peers().map(({ id }) => id));
    for (const id of [...this.#known.keys()]) if (!present.has(id)) this.#known.delete(id);
  }
}
