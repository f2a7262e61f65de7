import { END_OF_GENERATION, type HeldPipeline, type Running } from "./held-pipeline.js";

/** Lets a held pipeline's micro-batches pass its stages, each of which takes one step for any of them, in order. */
export class SteppedStages {
  readonly #pipeline: HeldPipeline;
  readonly #passed = new Map<Running, number>();

  constructor(pipeline: HeldPipeline) {
    this.#pipeline = pipeline;
  }

  /** @param answer the token that every sample chooses */
  async step(answer = 7): Promise<void> {
    const { stageCount } = this.#pipeline;
    const running = [...this.#pipeline.running];
    let before = Number.POSITIVE_INFINITY;
    const landed: Running[] = [];
    const left: Running[] = [];
    for (const one of running) {
      const passed = this.#passed.get(one) ?? 0;
      const free = before > passed;
      before = passed;
      if (!free) continue;
      this.#passed.set(one, passed + 1);
      if (passed + 1 === stageCount) landed.push(one);
      else if (passed === 0) left.push(one);
    }
    for (const one of left) one.handOver();
    for (const one of landed) await one.finish(one.batch.samples.map(() => answer));
  }

  async drain(): Promise<void> {
    while (this.#pipeline.running.length > 0) await this.step(END_OF_GENERATION);
  }
}
