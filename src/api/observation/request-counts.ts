import { Distribution } from "../../core/distribution.js";
import { LabelledCounts } from "../../core/labelled-counts.js";

/** Seconds; answers of slow machines take minutes. */
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const MOST_ROUTES = 256;

/** What the HTTP API counts, for the metrics to read. */
export class RequestCounts {
  /** By method, route, status and model. */
  readonly requests = new LabelledCounts();
  /** By route and error code. */
  readonly errors = new LabelledCounts();
  readonly #seconds = new Map<string, Distribution>();
  inFlight = 0;

  took(route: string, seconds: number): void {
    let distribution = this.#seconds.get(route);
    if (distribution === undefined) {
      if (this.#seconds.size >= MOST_ROUTES) return;
      distribution = new Distribution(REQUEST_SECONDS);
      this.#seconds.set(route, distribution);
    }
    distribution.observe(seconds);
  }

  *seconds(): IterableIterator<{ readonly labels: readonly string[]; readonly distribution: Distribution }> {
    for (const [route, distribution] of this.#seconds) yield { labels: [route], distribution };
  }
}
