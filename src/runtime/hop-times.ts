import type { HopTimesRecord } from "../cluster/node-record.js";
import { quantile } from "../core/statistics.js";
import type { PipelineTimings } from "./pipeline.js";

const WINDOW = 256;

/**
 * What the hops of a ring cost lately: the time of a way round in which no stage computed and nothing waited behind other
 * micro-batches, divided by the number of hops. Encoding, the network, decoding, event loops that were busy, and threads
 * that had to wake up.
 */
export class HopTimes {
  readonly #hopCount: number;
  /** Milliseconds per hop. */
  readonly #lately = new Float64Array(WINDOW);
  #count = 0;

  constructor(hopCount: number) {
    this.#hopCount = hopCount;
  }

  record({ total, compute, queue }: PipelineTimings): void {
    this.#lately[this.#count % WINDOW] = (Math.max(0, total - compute - queue) * 1000) / this.#hopCount;
    this.#count += 1;
  }

  /** `null` before the first way round. */
  summary(): HopTimesRecord | null {
    if (this.#count === 0) return null;
    const sorted = this.#lately.slice(0, this.#count).sort();
    return { samples: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  }
}
