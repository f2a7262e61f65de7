import type { VirtualTime } from "./virtual-time.js";

/** One direction between two neighbours. */
export interface LinkSpec {
  /** Of one way, in seconds. */
  readonly latency: number;
  readonly bytesPerSecond: number;
  /** Seconds that a frame costs beside the wire: encoding, system calls, event loops on both ends. */
  readonly overhead: number;
}

export const NO_LINK: LinkSpec = { latency: 0, bytesPerSecond: Number.POSITIVE_INFINITY, overhead: 0 };

export function hopSeconds(link: LinkSpec, bytes: number): number {
  return link.overhead + link.latency + bytes / link.bytesPerSecond;
}

/** Frames pass one after the other through the narrow part and then travel side by side. */
export class Link {
  readonly #time: VirtualTime;
  readonly #spec: LinkSpec;
  #freeAt = 0;

  constructor(time: VirtualTime, spec: LinkSpec) {
    this.#time = time;
    this.#spec = spec;
  }

  /** Fulfilled when the last byte has arrived. */
  carry(bytes: number): Promise<void> {
    const { latency, bytesPerSecond, overhead } = this.#spec;
    const readyAt = this.#time.now + overhead;
    this.#freeAt = Math.max(this.#freeAt, readyAt) + bytes / bytesPerSecond;
    return this.#time.pass(this.#freeAt + latency - this.#time.now);
  }
}
