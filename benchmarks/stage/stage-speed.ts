import { encodeKvOperations, encodeRows, type Row } from "../../src/native/micro-batch.js";
import { Stage } from "../../src/native/stage.js";

export interface StageSpeedOptions {
  readonly modelPath: string;
  readonly layerCount: number;
  readonly threads: number;
  readonly ubatch: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly flashAttention: "on" | "off";
}

/** Tokens per second. */
export interface Speed {
  readonly prefill: number;
  readonly decode: number;
}

const NOTHING = new Int32Array(0);
const FORGET = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);

/** The whole model in one stage, driven as llama-bench drives llama.cpp: random tokens, logits computed, none sampled. */
export class StageSpeed {
  readonly #options: StageSpeedOptions;
  readonly #stage: Stage;

  private constructor(options: StageSpeedOptions, stage: Stage) {
    this.#options = options;
    this.#stage = stage;
  }

  static async load(options: StageSpeedOptions): Promise<StageSpeed> {
    const { modelPath, layerCount, threads, ubatch, flashAttention, promptTokens, generatedTokens } = options;
    const stage = await Stage.load({
      ...{ modelPath, threads, flashAttention, layerBegin: 0, layerEnd: layerCount, hasOutput: true },
      contextSize: Math.max(promptTokens, generatedTokens),
      batchSize: ubatch,
    });
    return new StageSpeed(options, stage);
  }

  async measure(): Promise<Speed> {
    return { prefill: await this.#prefill(), decode: await this.#decode() };
  }

  async close(): Promise<void> {
    await this.#stage.close();
  }

  async #prefill(): Promise<number> {
    const { promptTokens, ubatch } = this.#options;
    const begun = performance.now();
    const chunks: Promise<unknown>[] = [];
    for (let begin = 0; begin < promptTokens; begin += ubatch) {
      const count = Math.min(ubatch, promptTokens - begin);
      const rows = Array.from({ length: count }, (_, index) => this.#row(begin + index, promptTokens - 1));
      chunks.push(this.#stage.decode({ rows: encodeRows(rows), kvOperations: begin === 0 ? FORGET : NOTHING }));
    }
    await Promise.all(chunks);
    return promptTokens / ((performance.now() - begun) / 1000);
  }

  async #decode(): Promise<number> {
    const { generatedTokens } = this.#options;
    const begun = performance.now();
    for (let position = 0; position < generatedTokens; position += 1) {
      const rows = encodeRows([this.#row(position, position)]);
      await this.#stage.decode({ rows, kvOperations: position === 0 ? FORGET : NOTHING });
    }
    return generatedTokens / ((performance.now() - begun) / 1000);
  }

  #row(position: number, outputPosition: number): Row {
    const token = Math.floor(Math.random() * this.#stage.info.vocabularySize);
    return { sequence: 0, position, token, output: position === outputPosition };
  }
}
