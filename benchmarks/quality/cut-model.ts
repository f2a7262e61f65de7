import { ExoError } from "../../src/core/errors.js";
import { encodeKvOperations, encodeRows } from "../../src/native/micro-batch.js";
import { Stage } from "../../src/native/stage.js";
import { rangesOf, type Variant } from "./variants.js";

export interface CutModelOptions {
  readonly modelPath: string;
  readonly layerCount: number;
  readonly variant: Variant;
  readonly threads: number;
  readonly contextSize: number;
}

/** The stages of a ring in one process; hidden states go from one to the next in the variant's wire type. */
export class CutModel {
  readonly #stages: readonly Stage[];
  readonly #variant: Variant;

  private constructor(stages: readonly Stage[], variant: Variant) {
    this.#stages = stages;
    this.#variant = variant;
  }

  static async load(options: CutModelOptions): Promise<CutModel> {
    const { variant, layerCount } = options;
    const { batchSize } = variant;
    const whole = variant.stages === 1;
    const ranges = rangesOf(layerCount, variant.stages).map(([begin, end]) => ({ begin, end, hasOutput: whole }));
    // As in a ring, the hidden states come back to a stage that holds the output head alone.
    const places = whole ? ranges : [...ranges, { begin: layerCount, end: layerCount, hasOutput: true }];
    const stages: Stage[] = [];
    for (const { begin, end, hasOutput } of places) {
      stages.push(
        await Stage.load({
          modelPath: options.modelPath,
          layerBegin: begin,
          layerEnd: end,
          hasOutput,
          threads: options.threads,
          contextSize: options.contextSize,
          batchSize,
          maxOutputs: batchSize,
          kvTypeK: variant.kvTypeK,
          kvTypeV: variant.kvTypeV,
          flashAttention: "on",
        }),
      );
    }
    return new CutModel(stages, variant);
  }

  get first(): Stage {
    const [first] = this.#stages;
    if (first === undefined) throw new ExoError("internal", "A cut model has at least one stage.");
    return first;
  }

  /** Logits after each token of a text that begins anew, a micro-batch at a time. */
  async *logits(
    tokens: readonly number[],
  ): AsyncGenerator<{ readonly position: number; readonly logits: Float32Array }> {
    const { batchSize } = this.#variant;
    for (let begin = 0; begin < tokens.length; begin += batchSize) {
      const part = tokens.slice(begin, begin + batchSize);
      const all = await this.#compute(part, begin);
      const width = all.length / part.length;
      for (const index of part.keys()) {
        yield { position: begin + index, logits: all.subarray(index * width, (index + 1) * width) };
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#stages.map((stage) => stage.close()));
  }

  async #compute(tokens: readonly number[], begin: number): Promise<Float32Array> {
    const rows = encodeRows(
      tokens.map((token, index) => ({ sequence: 0, position: begin + index, token, output: true })),
    );
    const kvOperations = encodeKvOperations(begin === 0 ? [{ op: "remove", sequence: null, from: 0, to: null }] : []);
    const { wire } = this.#variant;
    let activations: Uint8Array | null = null;
    for (const stage of this.#stages) {
      const input: Uint8Array | null = activations;
      const result = await stage.decode({
        rows,
        kvOperations,
        ...(input !== null && { activations: input, activationType: wire }),
        resultType: wire,
        wantLogits: stage === this.#stages.at(-1),
      });
      if (result.logits !== null) return result.logits;
      activations = result.activations;
    }
    throw new ExoError("internal", "The last stage gave no logits.");
  }
}
