import { encodeRows, type Row } from "../../src/native/micro-batch.js";
import { Stage } from "../../src/native/stage.js";
import type { StageOptions } from "../../src/native/stage-options.js";

/** Numbers of a hidden state that one stage hands the next: f32. */
const F32_BYTES = 4;

export type Range = readonly [begin: number, end: number, hasOutput: boolean];

export type StageExtras = Omit<StageOptions, "modelPath" | "layerBegin" | "layerEnd" | "hasOutput">;

/** One thread, so that runs with and without a cut add up in the same order. */
export async function loadRange(modelPath: string, range: Range, extras: StageExtras = {}): Promise<Stage> {
  const [layerBegin, layerEnd, hasOutput] = range;
  return await Stage.load({
    contextSize: 256,
    threads: 1,
    batchSize: 64,
    maxOutputs: 64,
    ...extras,
    modelPath,
    layerBegin,
    layerEnd,
    hasOutput,
  });
}

/** Stages that hand hidden states on, the last one with the output head. */
export class Chain {
  readonly stages: readonly Stage[];

  private constructor(stages: readonly Stage[]) {
    this.stages = stages;
  }

  static async load(modelPath: string, ranges: readonly Range[], extras: StageExtras = {}): Promise<Chain> {
    const stages: Stage[] = [];
    for (const range of ranges) stages.push(await loadRange(modelPath, range, extras));
    return new Chain(stages);
  }

  /** Of stages that were loaded elsewhere. */
  static of(stages: readonly Stage[]): Chain {
    return new Chain(stages);
  }

  get last(): Stage {
    const last = this.stages.at(-1);
    if (last === undefined) throw new Error("a chain has at least one stage");
    return last;
  }

  /** Logits of the rows flagged `output`. */
  async logits(rows: readonly Row[], kvOperations: Int32Array = new Int32Array(0)): Promise<Float32Array> {
    const bytes = encodeRows(rows);
    let activations: Uint8Array | undefined;
    for (const stage of this.stages.slice(0, -1)) {
      const result = await stage.decode({ rows: bytes, kvOperations, ...(activations && { activations }) });
      if (result.activations === null) throw new Error("no hidden states");
      activations = result.activations;
    }
    const result = await this.last.decode({
      rows: bytes,
      kvOperations,
      wantLogits: true,
      ...(activations && { activations }),
    });
    if (result.logits === null) throw new Error("no logits");
    return result.logits;
  }

  async close(): Promise<void> {
    await Promise.all(this.stages.map((stage) => stage.close()));
  }
}

/** Rows of one sequence from `position` on, all flagged `output`. */
export function rowsOf(tokens: readonly number[], position = 0, sequence = 0): Row[] {
  return tokens.map((token, index) => ({ sequence, position: position + index, token, output: true }));
}

/** Tokens that any vocabulary of a few hundred has, the same in every run. */
export function someTokens(count: number, seed = 1): number[] {
  return Array.from({ length: count }, (_, index) => 3 + ((index * 97 + seed * 53) % 300));
}

export function argmax(logits: Float32Array): number {
  return logits.reduce((best, value, index) => (value > (logits[best] ?? -Infinity) ? index : best), 0);
}

/** The floats of a hidden-state view, which may start anywhere. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  const copy = bytes.slice();
  return new Float32Array(copy.buffer, 0, copy.byteLength / F32_BYTES);
}

/** Error energy over signal energy. */
export function normalizedError(actual: Float32Array, expected: Float32Array): number {
  let error = 0;
  let signal = 0;
  expected.forEach((value, index) => {
    error += ((actual[index] ?? Number.NaN) - value) ** 2;
    signal += value ** 2;
  });
  return error / signal;
}
