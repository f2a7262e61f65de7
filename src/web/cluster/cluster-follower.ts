import { effect, signal } from "@preact/signals";
import type { RingCounts } from "../api/activity-document.js";
import type { ClusterDocument } from "../api/cluster-document.js";
import { clusterEvents, hasNoSuchRoute } from "../api/cluster-events.js";
import type { AppState } from "../app/state.js";
import { countsOf, type RingActivity } from "./activity.js";
import { ActivityMeter } from "./activity-meter.js";
import { changesBetween } from "./changes.js";

const POLL_MILLISECONDS = 1000;
/** Before a stream that broke off is asked for again. */
const AGAIN_MILLISECONDS = 2000;
/** After the last word of something going on. */
const IDLE_MILLISECONDS = 1500;
const MOST_HAPPENINGS = 30;

export interface Happening {
  readonly id: number;
  readonly at: Date;
  readonly text: string;
}

/** Follows the cluster closely while a view shows it: by the node's events, else by asking every second. */
export class ClusterFollower {
  /** By ring id. */
  readonly activity = signal<ReadonlyMap<string, RingActivity>>(new Map());
  /** The latest first. */
  readonly happenings = signal<readonly Happening[]>([]);
  readonly #app: AppState;
  readonly #meter = new ActivityMeter();
  #streams = false;
  #seen: ClusterDocument | null = null;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #next = 1;

  constructor(app: AppState) {
    this.#app = app;
  }

  /** Returns the way to stop. */
  start(): () => void {
    const stop = new AbortController();
    const unfollow = effect(() => this.#look(this.#app.cluster.value));
    void this.#run(stop.signal);
    return () => {
      stop.abort();
      clearTimeout(this.#idleTimer);
      unfollow();
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isThere = await this.#stream(signal);
      if (!isThere) return this.#poll(signal);
      await sleep(AGAIN_MILLISECONDS, signal);
    }
  }

  /** Until the stream ends, in whatever way; `false` when this node has none. */
  async #stream(signal: AbortSignal): Promise<boolean> {
    try {
      for await (const event of clusterEvents(this.#app.server, signal)) {
        if (!this.#streams) this.#meter.restart();
        this.#streams = true;
        if (event.kind === "cluster") this.#app.cluster.value = event.cluster;
        else this.#flow(event.rings);
      }
      return true;
    } catch (thrown) {
      // That the node is away is told by those who ask it for the cluster.
      return !hasNoSuchRoute(thrown);
    } finally {
      this.#streams = false;
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!document.hidden) await this.#app.refresh();
      await sleep(POLL_MILLISECONDS, signal);
    }
  }

  #look(cluster: ClusterDocument | null): void {
    if (cluster === null) return;
    const before = this.#seen;
    this.#seen = cluster;
    // Nobody knows how old the first one is.
    if (before === null) return;
    if (!this.#streams) this.#flow(countsOf(cluster));
    this.#tell(changesBetween(before, cluster));
  }

  #flow(counts: readonly RingCounts[]): void {
    this.activity.value = this.#meter.add(counts, performance.now() / 1000);
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      this.activity.value = this.#meter.idle();
    }, IDLE_MILLISECONDS);
  }

  #tell(sentences: readonly string[]): void {
    if (sentences.length === 0) return;
    const news = sentences.map((text) => ({ id: this.#next++, at: new Date(), text }));
    this.happenings.value = [...news.toReversed(), ...this.happenings.peek()].slice(0, MOST_HAPPENINGS);
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}
