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
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

type Link = Omit<LinkRecord, "to">;

/** What is known of the way to a peer that was tried. */
interface Known {
  /** Measured when nothing was in the way, or as well as it can be; `null`: not yet. */
  readonly steady: Link | null;
  /** Of the disturbed measurements since. */
  readonly disturbed: readonly Link[];
  /** By the monotonic clock. */
  readonly dueAt: number;
}

const UNKNOWN: Known = { steady: null, disturbed: [], dueAt: 0 };

const EVERY_MS = 5 * 60_000;
/** After a failure or a disturbed measurement. */
const AGAIN_MS = 10_000;
/** While this node is busy, which is over soon: a probe of a model takes a second or two. */
const SOON_MS = 500;
/** Some links are never steady, Wi-Fi's say: then the best of so many measurements counts. */
const MOST_DISTURBED = 3;

/** Measures the ways from this node to the others: each when it appears, and again every few minutes, one at a time. */
export class LinkProbe implements Service {
  readonly name = "link probe";
  readonly #options: LinkProbeOptions;
  readonly #sleep: NonNullable<LinkProbeOptions["sleep"]>;
  readonly #known = new Map<string, Known>();
  readonly #stop = new AbortController();
  #unsubscribe: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #wake: () => void = () => {};
  #changed = false;

  constructor(options: LinkProbeOptions) {
    this.#options = options;
    this.#sleep = options.sleep ?? pause;
  }

  /** As measured last. */
  links(): LinkRecord[] {
    return this.#options.peers().flatMap(({ id }) => {
      const link = linkOf(this.#known.get(id) ?? UNKNOWN);
      return link === null ? [] : { to: id, ...link };
    });
  }

  /** Resolves when the ways to all who are there were tried, after so many milliseconds at the latest. */
  async settled(mostMs: number, signal: AbortSignal): Promise<void> {
    const { peers, clock } = this.#options;
    const end = clock.monotonic() + mostMs;
    const untried = (): boolean => peers().some(({ id }) => !this.#known.has(id));
    while (!signal.aborted && untried() && clock.monotonic() < end) await this.#sleep(SOON_MS / 10, signal);
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#options.onChange(() => {
      this.#changed = true;
      this.#wake();
    });
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
      this.#changed = false;
      await this.round(signal);
      if (!signal.aborted && !this.#changed) await this.#untilDue(signal);
    }
  }

  /** A newcomer need not wait for the others' next turn. */
  async #untilDue(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const next = Math.min(...[...this.#known.values()].map(({ dueAt }) => dueAt)) - this.#options.clock.monotonic();
    await this.#sleep(Math.min(AGAIN_MS, Math.max(SOON_MS, next)), AbortSignal.any([signal, woken.signal]));
  }

  async #measure(peer: Peer, signal: AbortSignal): Promise<void> {
    const { busy, open, rowBytes } = this.#options;
    if (busy()) {
      this.#later(peer, SOON_MS);
      return;
    }
    let stream: EchoStream | null = null;
    const hangUp = (): void => stream?.close();
    signal.addEventListener("abort", hangUp, { once: true });
    try {
      stream = open(peer);
      const link = await measureLink(stream, rowBytes());
      this.#learn(peer, busy() ? { ...link, disturbed: true } : link);
    } catch (thrown) {
      this.#later(peer, AGAIN_MS);
      if (!signal.aborted) this.#failed(peer, thrown);
    } finally {
      signal.removeEventListener("abort", hangUp);
      stream?.close();
    }
  }

  /** What was measured beside other work is tried again soon. */
  #learn(peer: Peer, { disturbed: isDisturbed, ...link }: MeasuredLink): void {
    const { steady, disturbed } = this.#known.get(peer.id) ?? UNKNOWN;
    const tried = isDisturbed ? [...disturbed, link] : [];
    if (isDisturbed && tried.length < MOST_DISTURBED) {
      this.#known.set(peer.id, { steady, disturbed: tried, dueAt: this.#in(AGAIN_MS) });
    } else {
      this.#known.set(peer.id, { steady: bestOf(tried) ?? link, disturbed: [], dueAt: this.#in(EVERY_MS) });
    }
    const { seconds, bytesPerSecond } = link;
    const told = { node: peer.name, milliseconds: seconds * 1000, bytesPerSecond, disturbed: isDisturbed };
    this.#options.logger.debug(told, "link measured");
  }

  #failed({ name: node }: Peer, thrown: unknown): void {
    this.#options.logger.debug({ node, error: ExoError.from(thrown).message }, "a link could not be measured");
  }

  #later(peer: Peer, milliseconds: number): void {
    this.#known.set(peer.id, { ...(this.#known.get(peer.id) ?? UNKNOWN), dueAt: this.#in(milliseconds) });
  }

  #in(milliseconds: number): number {
    return this.#options.clock.monotonic() + milliseconds;
  }

  /** A node that comes back is measured anew: it may be on another network now. */
  #forget(): void {
    const present = new Set(this.#options.peers().map(({ id }) => id));
    for (const id of [...this.#known.keys()]) if (!present.has(id)) this.#known.delete(id);
  }
}

function linkOf({ steady, disturbed }: Known): Link | null {
  return steady ?? bestOf(disturbed);
}

/** Whatever disturbs only ever makes a link seem slower. */
function bestOf(links: readonly Link[]): Link | null {
  if (links.length === 0) return null;
  return {
    seconds: Math.min(...links.map(({ seconds }) => seconds)),
    bytesPerSecond: Math.max(...links.map(({ bytesPerSecond }) => bytesPerSecond)),
  };
}
