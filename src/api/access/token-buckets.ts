import type { Clock } from "../../core/ports.js";

export interface TokenBucketsOptions {
  /** What may be used at once after a time without use. */
  readonly size: number;
  readonly perMinute: number;
  readonly clock: Clock;
}

interface Bucket {
  level: number;
  /** Milliseconds of the monotonic clock. */
  at: number;
}

/** So many of whom the use is remembered; beyond, those who have been quiet longest are forgotten. */
const MOST_BUCKETS = 10_000;
const MINUTE = 60_000;

/** How much each of many has left of what he may use. */
export class TokenBuckets {
  readonly #options: TokenBucketsOptions;
  /** Those used last stand last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: TokenBucketsOptions) {
    this.#options = options;
  }

  /** Takes one; 0, or in how many milliseconds there is one again. */
  take(name: string): number {
    const wait = this.wait(name);
    if (wait === 0) this.#keep(name, { level: this.#level(name) - 1, at: this.#options.clock.monotonic() });
    return wait;
  }

  /** 0, or in how many milliseconds one can be taken. */
  wait(name: string): number {
    const missing = 1 - this.#level(name);
    return missing <= 0 ? 0 : Math.ceil((missing * MINUTE) / this.#options.perMinute);
  }

  #level(name: string): number {
    const { size, perMinute, clock } = this.#options;
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return size;
    return Math.min(size, bucket.level + ((clock.monotonic() - bucket.at) * perMinute) / MINUTE);
  }

  #keep(name: string, bucket: Bucket): void {
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size <= MOST_BUCKETS) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
