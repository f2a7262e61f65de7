import { ExoError } from "../../src/core/errors.js";
import { encodeKvOperations, encodeRows, type Row } from "../../src/native/micro-batch.js";
import { Stage } from "../../src/native/stage.js";
import type { StageOptions } from "../../src/native/stage-options.js";

const LONGEST = 128;
const MOST_SEQUENCES = 16;

/** Logits of one and the same position, computed in micro-batches of different shapes. */
export class ModelUnderTest {
  readonly #stage: Stage;

  private constructor(stage: Stage) {
    this.#stage = stage;
  }

  static async load(
    modelPath: string,
    layerCount: number,
    options: Pick<StageOptions, "threads" | "flashAttention">,
  ): Promise<ModelUnderTest> {
    const stage = await Stage.load({
      ...options,
      modelPath,
      layerBegin: 0,
      layerEnd: layerCount,
      hasOutput: true,
      contextSize: 2 * LONGEST,
      maxSequences: MOST_SEQUENCES,
      batchSize: LONGEST,
    });
    return new ModelUnderTest(stage);
  }

  /** Of the last of 128 tokens of a prompt that is computed in chunks of this many. */
  async prompt(chunk: number): Promise<Float32Array> {
    await this.#forget();
    let logits = new Float32Array(0);
    for (let begin = 0; begin < LONGEST; begin += chunk) {
      const rows = Array.from({ length: Math.min(chunk, LONGEST - begin) }, (_, index) =>
        this.#row(0, begin + index, begin + index === LONGEST - 1),
      );
      logits = await this.#compute(rows);
    }
    return logits;
  }

  /** Of the token after a prompt of 32, computed together with the same token of this many sequences in all. */
  async token(sequences: number): Promise<Float32Array> {
    await this.#forget();
    const all = Array.from({ length: sequences }, (_, index) => index);
    for (const sequence of all) {
      await this.#compute(Array.from({ length: 32 }, (_, index) => this.#row(sequence, index, index === 31)));
    }
    return this.#compute(all.map((sequence) => this.#row(sequence, 32, sequence === 0)));
  }

  async close(): Promise<void> {
    await this.#stage.close();
  }

  #row(sequence: number, position: number, output: boolean): Row {
    return { sequence, position, token: 3 + ((position * 97) % (this.#stage.info.vocabularySize - 3)), output };
  }

  async #forget(): Promise<void> {
    const kvOperations = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);
    await this.#stage.decode({ rows: new Uint8Array(0), kvOperations });
  }

  /** Logits of the one row with output; empty when there is none. */
  async #compute(rows: readonly Row[]): Promise<Float32Array<ArrayBuffer>> {
    const wantLogits = rows.some((row) => row.output);
    const { logits } = await this.#stage.decode({ rows: encodeRows(rows), wantLogits });
    if (wantLogits && logits === null) throw new ExoError("internal", "The stage gave no logits.");
    return Float32Array.from(logits ?? []);
  }
}
