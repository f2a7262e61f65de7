import { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import type { ClusterSnapshot } from "../cluster-snapshot.js";
import type { SseStream } from "../sse.js";
import type { ClusterActivity } from "./cluster-activity.js";
import { FeedClient } from "./feed-client.js";

export interface ClusterFeedOptions {
  readonly snapshot: () => ClusterSnapshot;
  readonly activity: () => ClusterActivity;
  readonly everyMilliseconds: number;
  readonly clock: Clock;
}

/** Readers at once; a page that forgets to close its old ones must not slow the node down. */
const MOST_CLIENTS = 64;
/** What changes all the time is sent after this time even if nothing else did. */
const REFRESH_MS = 10_000;

/** Fields of the document that change without anything having happened, or that the activity tells better. */
const RESTLESS: ReadonlySet<string> = new Set([
  "idle_seconds",
  "memory_free",
  "work",
  "tokens",
  "hops",
  "hop_ms",
  "rates",
  "rtt_ms",
  "micro_batches_under_way",
]);

/**
 * The cluster as a stream: event `cluster` is the document of `GET /cluster`, first at once and then whenever it changed;
 * event `activity` is what flows, whenever that did. Looks at the cluster only while somebody reads.
 */
export class ClusterFeed {
  readonly #options: ClusterFeedOptions;
  readonly #clients = new Set<FeedClient>();
  #timer: NodeJS.Timeout | undefined;
  #lastCluster = "";
  #lastActivity = "";
  #sentAt = 0;

  constructor(options: ClusterFeedOptions) {
    this.#options = options;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Throws `overloaded` when there are too many readers. */
  checkRoom(): void {
    if (this.#clients.size < MOST_CLIENTS) return;
    throw new ExoError(
      "overloaded",
      `${MOST_CLIENTS} clients read the events of this node already; close one of them.`,
    );
  }

  /** Resolves when the signal aborts, rejects when the reader is gone. */
  async serve(stream: Pick<SseStream, "send">, signal: AbortSignal): Promise<void> {
    const client = new FeedClient();
    if (this.#clients.size === 0) this.look();
    client.offer("cluster", this.#options.snapshot());
    client.offer("activity", this.#options.activity());
    this.#clients.add(client);
    this.#timer ??= setInterval(() => this.look(), this.#options.everyMilliseconds).unref();
    try {
      await client.serve(stream, signal);
    } finally {
      this.#clients.delete(client);
      if (this.#clients.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }

  /** Tells every reader what has changed since the last look. */
  look(): void {
    const activity = this.#options.activity();
    const flows = JSON.stringify(activity);
    if (flows !== this.#lastActivity) {
      this.#lastActivity = flows;
      this.#offer("activity", activity);
    }
    const cluster = this.#options.snapshot();
    const now = this.#options.clock.monotonic();
    const settled = JSON.stringify(cluster, withoutRestless);
    if (settled === this.#lastCluster && now - this.#sentAt < REFRESH_MS) return;
    this.#lastCluster = settled;
    this.#sentAt = now;
    this.#offer("cluster", cluster);
  }

  #offer(event: string, data: unknown): void {
    for (const client of this.#clients) client.offer(event, data);
  }
}

function withoutRestless(key: string, value: unknown): unknown {
  return RESTLESS.has(key) ? undefined : value;
}
