import type { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import type { Stage } from "../native/stage.js";
import type { RingBatch } from "./micro-batch.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";

/** A ring of one node: the whole model in one stage, no hop. */
export class LocalPipeline implements Pipeline {
  /** One computes while the next is being prepared. */
  readonly depth = 2;
  readonly broken: ExoError | null = null;
  readonly #stage: Stage;
  readonly #clock: Clock;

  constructor(stage: Stage, clock: Clock) {
    this.#stage = stage;
    this.#clock = clock;
  }

  async run(batch: RingBatch): Promise<PipelineResult> {
    const begun = this.#clock.monotonic();
    const { samples, computeSeconds } = await this.#stage.decode(batch);
    return { samples, timings: { total: (this.#clock.monotonic() - begun) / 1000, compute: computeSeconds } };
  }

  /** A stage in this process fails with the process. */
  onBroken(): void {}

  async close(): Promise<void> {
    await this.#stage.close();
  }
}
