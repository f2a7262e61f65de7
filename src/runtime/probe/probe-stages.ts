import { formatByteSize } from "../../config/byte-size.js";
import { ExoError } from "../../core/errors.js";
import { type ModelPart, stageMemory, totalBytes } from "../../model/memory-estimate.js";
import type { StageOptions } from "../../native/stage-options.js";
import type { ProbeModel } from "./probe-model.js";
import type { LayerRange } from "./probe-plan.js";
import { TimedStage } from "./timed-stage.js";

/** As the stages of a ring would be loaded. */
export type ProbeSettings = Required<
  Pick<
    StageOptions,
    "threads" | "batchThreads" | "devices" | "kvTypeK" | "kvTypeV" | "flashAttention" | "microBatchSize"
  >
>;

export interface ProbeStagesOptions {
  readonly model: ProbeModel;
  /** Of the file with the holes. */
  readonly path: string;
  readonly settings: ProbeSettings;
  /** Bytes that all stages together may take. */
  readonly memory: number;
  readonly signal: AbortSignal;
}

export interface StageWish extends LayerRange {
  readonly hasOutput: boolean;
  /** Tokens of cache. */
  readonly context: number;
  /** Rows in one pass. */
  readonly rows: number;
}

interface Held {
  readonly stage: TimedStage;
  readonly bytes: number;
}

/** The stages that a probe has loaded; memory is checked before each. */
export class ProbeStages {
  readonly #options: ProbeStagesOptions;
  readonly #held = new Set<Held>();

  constructor(options: ProbeStagesOptions) {
    this.#options = options;
  }

  /** Rejects as `Stage.load` does, and `out_of_memory` before anything is loaded. */
  async load(wish: StageWish): Promise<TimedStage> {
    const { path, settings, signal } = this.#options;
    const bytes = this.#checkMemory(wish);
    const stage = await TimedStage.load(
      {
        ...settings,
        modelPath: path,
        layerBegin: wish.begin,
        layerEnd: wish.end,
        hasOutput: wish.hasOutput,
        contextSize: wish.context,
        maxSequences: 1,
        batchSize: wish.rows,
        microBatchSize: Math.min(wish.rows, settings.microBatchSize),
        ...(wish.begin === wish.end && { maxOutputs: wish.rows }),
        // A mapped hole would become a page of the page cache, or of a file system in memory.
        useMmap: false,
      },
      wish.rows,
      signal,
    );
    this.#held.add({ stage, bytes });
    return stage;
  }

  async release(stage: TimedStage): Promise<void> {
    for (const held of this.#held) if (held.stage === stage) this.#held.delete(held);
    await stage.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held].map(({ stage }) => this.release(stage)));
  }

  /** Bytes that the stage will take. */
  #checkMemory(wish: StageWish): number {
    const { model, settings, memory } = this.#options;
    const part: ModelPart = { ...wish, hasEmbedding: wish.begin === 0 && wish.end > 0 };
    const needs = {
      contextSize: wish.context,
      slots: 1,
      kvType: settings.kvTypeK,
      kvTypeV: settings.kvTypeV,
      ubatch: wish.rows,
      flashAttention: settings.flashAttention !== "off",
    };
    const bytes = totalBytes(stageMemory(model.info, part, needs));
    const taken = [...this.#held].reduce((sum, held) => sum + held.bytes, 0);
    if (taken + bytes <= memory) return bytes;
    throw new ExoError(
      "out_of_memory",
      `To measure layers [${wish.begin}, ${wish.end}) takes ${formatByteSize(taken + bytes)}, but only ` +
        `${formatByteSize(memory)} are free.`,
    );
  }
}
