import { cpuUsage } from "node:process";
import { encodeKvOperations, encodeRows } from "../../native/micro-batch.js";
import type { Sampler } from "../../native/sampler.js";
import { Stage } from "../../native/stage.js";
import type { StageOptions } from "../../native/stage-options.js";
import { randomStates } from "./probe-values.js";
import type { TimedPass } from "./time-passes.js";

const FORGET = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);
const NOTHING = new Int32Array(0);
const F32_BYTES = 4;

/** A loaded part of a model whose passes are timed. */
export class TimedStage {
  readonly #stage: Stage;
  /** Without layers: every row goes through the output head. */
  readonly #headOnly: boolean;
  readonly #pools: boolean;
  readonly #samplers: readonly Sampler[];
  readonly #states: Uint8Array;

  private constructor(stage: Stage, mostRows: number) {
    const { layerBegin, layerEnd, hasOutput } = stage.options;
    this.#stage = stage;
    this.#headOnly = layerBegin === layerEnd;
    // A model that is for embeddings alone has no logits to choose from; its rows are summed.
    this.#pools = hasOutput === true && !stage.info.generates;
    const sampled = this.#pools ? 0 : this.#headOnly ? mostRows : hasOutput ? 1 : 0;
    // Greedy: to choose is part of what the output head costs, but a user's sampling is not.
    this.#samplers = Array.from({ length: sampled }, () => stage.createSampler({ temperature: 0 }));
    this.#states = new Uint8Array(randomStates(mostRows * stage.info.inputSize).buffer);
  }

  /** @param mostRows of one pass */
  static async load(options: StageOptions, mostRows: number, signal: AbortSignal): Promise<TimedStage> {
    const stage = await Stage.load(options, { signal });
    try {
      return new TimedStage(stage, mostRows);
    } catch (thrown) {
      await stage.close();
      throw thrown;
    }
  }

  /**
   * Computes rows of one sequence, `position` tokens after its beginning, on the stage's threads. At position 0 the cache
   * is emptied first.
   */
  async pass(rows: number, position: number): Promise<TimedPass> {
    const { inputSize, vocabularySize, keepsCache } = this.#stage.info;
    const sampledFrom = this.#headOnly || this.#pools ? 0 : this.#samplers.length > 0 ? rows - 1 : rows;
    const batch = Array.from({ length: rows }, (_, index) => ({
      sequence: 0,
      position: position + index,
      token: ((position + index) * 97) % Math.max(1, vocabularySize),
      output: index >= sampledFrom,
    }));
    const before = cpuUsage();
    const { computeSeconds } = await this.#stage.decode({
      rows: encodeRows(batch),
      kvOperations: position === 0 && !this.#headOnly && keepsCache ? FORGET : NOTHING,
      ...(inputSize > 0 && { activations: this.#states.subarray(0, rows * inputSize * F32_BYTES) }),
      ...(this.#pools
        ? { wantPooled: true }
        : {
            samples: this.#samplers
              .slice(0, rows - sampledFrom)
              .map((sampler, index) => ({ row: sampledFrom + index, sampler, logprobs: 0 })),
          }),
    });
    return { seconds: computeSeconds, share: this.#share(rows, computeSeconds, cpuUsage(before)) };
  }

  /** Threads that compute, or wait for each other within a graph, use the processor; what they do not get others have. */
  #share(rows: number, seconds: number, { user, system }: NodeJS.CpuUsage): number {
    const { devices = [], threads, batchThreads = threads } = this.#stage.options;
    const count = rows === 1 ? threads : batchThreads;
    if (devices.length > 0 || count === undefined || seconds <= 0) return 1;
    return (user + system) / 1e6 / (seconds * count);
  }

  async close(): Promise<void> {
    await this.#stage.close();
  }
}
