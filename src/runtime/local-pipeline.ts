import { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import type { Stage } from "../native/stage.js";
import { Breakage } from "./breakage.js";
import type { RingBatch } from "./micro-batch.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";

/** A ring of one node: the whole model in one stage, no hop. */
export class LocalPipeline implements Pipeline {
  readonly stageCount = 1;
  readonly #stage: Pick<Stage, "decode" | "close">;
  readonly #clock: Clock;
  readonly #breakage = new Breakage();

  constructor(stage: Pick<Stage, "decode" | "close">, clock: Clock) {
    this.#stage = stage;
    this.#clock = clock;
  }

  get broken(): ExoError | null {
    return this.#breakage.reason;
  }

  /** Nobody else goes on, so nothing is gained by waiting. */
  async run(batch: RingBatch, onHandedOver: () => void): Promise<PipelineResult> {
    if (this.broken !== null) throw this.broken;
    const begun = this.#clock.monotonic();
    const { pooled: wantPooled, ...work } = batch;
    const decoding = this.#stage
      .decode({ ...work, wantPooled })
      .catch((thrown: unknown) => this.#failed(ExoError.from(thrown)));
    onHandedOver();
    const decoded = await decoding;
    const { samples, pooled, computeSeconds: compute, queueSeconds: queue, samplingSeconds: sampling } = decoded;
    const total = (this.#clock.monotonic() - begun) / 1000;
    const way = { legs: [{ seconds: total, compute, queue, sampling }], hops: [] };
    return { samples, pooled, timings: { total, compute, queue }, way };
  }

  onBroken(callback: (error: ExoError) => void): void {
    this.#breakage.listen(callback);
  }

  async close(): Promise<void> {
    await this.#stage.close();
  }

  #failed(error: ExoError): never {
    if (error.code === "stage_lost") this.#breakage.set(error);
    throw error;
  }
}
