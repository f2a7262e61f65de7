import type { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import type { Stage } from "../native/stage.js";
import type { RingBatch } from "./micro-batch.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";

/** A ring of one node: the whole model in one stage, no hop. */
export class LocalPipeline implements Pipeline {
  readonly stageCount = 1;
  readonly broken: ExoError | null = null;
  readonly #stage: Pick<Stage, "decode" | "close">;
  readonly #clock: Clock;

  constructor(stage: Pick<Stage, "decode" | "close">, clock: Clock) {
    this.#stage = stage;
    this.#clock = clock;
  }

  /** Nobody else goes on, so nothing is gained by waiting. */
  async run(batch: RingBatch, onHandedOver: () => void): Promise<PipelineResult> {
    const begun = this.#clock.monotonic();
    const decoding = this.#stage.decode(batch);
    onHandedOver();
    const { samples, computeSeconds, queueSeconds } = await decoding;
    const total = (this.#clock.monotonic() - begun) / 1000;
    return { samples, timings: { total, compute: computeSeconds, queue: queueSeconds } };
  }

  /** A stage in this process fails with the process. */
  onBroken(): void {}

  async close(): Promise<void> {
    await this.#stage.close();
  }
}
