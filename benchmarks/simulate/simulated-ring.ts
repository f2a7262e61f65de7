import { decodeRows } from "../../src/native/micro-batch.js";
import type { RingBatch } from "../../src/runtime/micro-batch.js";
import type { Pipeline, PipelineResult } from "../../src/runtime/pipeline.js";
import { Link } from "./link.js";
import { Processor } from "./processor.js";
import type { RingSpec, Work } from "./stage-cost.js";
import type { VirtualTime } from "./virtual-time.js";

/** Bytes of a frame beside its rows' hidden states: envelope, and sequence, flags, position and token of each row. */
const FRAME_BYTES = 64;
const BYTES_PER_ROW = 12;

/** A ring in virtual time, for the real scheduler to drive. Every sampled token is 0. */
export class SimulatedRing implements Pipeline {
  readonly broken = null;
  readonly #time: VirtualTime;
  readonly #spec: RingSpec;
  readonly #processors: readonly Processor[];
  readonly #links: readonly Link[];

  constructor(time: VirtualTime, spec: RingSpec) {
    this.#time = time;
    this.#spec = spec;
    const own = new Map<number, Processor>();
    this.#processors = spec.stages.map((_, stage) => {
      const index = spec.processors?.[stage] ?? stage;
      const processor = own.get(index) ?? new Processor(time);
      own.set(index, processor);
      return processor;
    });
    this.#links = spec.links.map((link) => new Link(time, link));
  }

  get stageCount(): number {
    return this.#spec.stages.length;
  }

  /** Seconds that each stage's processor has computed, until now. */
  busySeconds(): readonly number[] {
    return this.#processors.map((processor) => processor.busySeconds);
  }

  async run(batch: RingBatch, onHandedOver: () => void): Promise<PipelineResult> {
    const begun = this.#time.now;
    const work = workOf(batch);
    const sampled = batch.samples.length;
    const own = { compute: 0, queue: 0 };
    for (const [index, stage] of this.#spec.stages.entries()) {
      await this.#compute(index, "layers", stage.layers(work), own);
      if (index === 0) onHandedOver();
      if (this.stageCount === 1) break;
      // Only rows that are to be sampled go back to the head.
      const rows = index === this.stageCount - 1 ? sampled : batch.rowCount;
      await this.#links[index]?.carry(FRAME_BYTES + rows * (BYTES_PER_ROW + this.#spec.rowBytes));
    }
    const [head] = this.#spec.stages;
    if (sampled > 0 && head !== undefined) await this.#compute(0, "output", head.output(sampled), own);
    return {
      pooled: null,
      samples: batch.samples.map(() => [{ token: 0, isEndOfGeneration: false, logprob: null, top: [] }]),
      timings: { total: this.#time.now - begun, ...own },
      way: null,
    };
  }

  onBroken(): void {}

  async close(): Promise<void> {}

  async #compute(stage: number, lane: string, seconds: number, own: { compute: number; queue: number }): Promise<void> {
    const begun = this.#time.now;
    await this.#processors[stage]?.compute(`${stage} ${lane}`, seconds);
    own.compute += seconds;
    own.queue += this.#time.now - begun - seconds;
  }
}

function workOf(batch: RingBatch): Work {
  const longest = new Map<number, number>();
  let attended = 0;
  for (const { sequence, position } of decodeRows(batch.rows)) {
    attended += position + 1;
    longest.set(sequence, Math.max(longest.get(sequence) ?? 0, position + 1));
  }
  return { rows: batch.rowCount, attended, cached: [...longest.values()].reduce((sum, length) => sum + length, 0) };
}
