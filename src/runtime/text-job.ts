import { ExoError } from "../core/errors.js";
import type { EmbeddingJob, JobOutcome, TextPieces } from "./slot.js";

export interface TextJobOptions {
  readonly tokens: readonly number[];
  readonly wanted: EmbeddingJob["wanted"];
  readonly pieces: TextPieces;
  /** Numbers of an embedding. */
  readonly size: number;
  readonly normalize: boolean;
  readonly signal: AbortSignal;
  readonly client: string;
  readonly timeLimitMs: number | null;
}

/** One text's embedding in the making: the scheduler's job on one side, a promise on the other. */
export class TextJob implements EmbeddingJob {
  readonly promptTokens: readonly number[];
  readonly wanted: EmbeddingJob["wanted"];
  readonly pieces: TextPieces;
  readonly reusePrefix = false;
  readonly signal: AbortSignal;
  readonly client: string;
  readonly timeLimitMs: number | null;
  readonly values: Promise<Float32Array>;
  readonly #normalize: boolean;
  readonly #sum: Float64Array;
  #resolve: (values: Float32Array) => void = () => {};
  #reject: (error: ExoError) => void = () => {};

  constructor(options: TextJobOptions) {
    this.promptTokens = options.tokens;
    this.wanted = options.wanted;
    this.pieces = options.pieces;
    this.signal = options.signal;
    this.client = options.client;
    this.timeLimitMs = options.timeLimitMs;
    this.values = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#normalize = options.normalize;
    this.#sum = new Float64Array(options.size);
  }

  onStarted(): void {}

  onStates(sum: Float32Array): void {
    if (sum.length !== this.#sum.length) {
      this.#reject(
        new ExoError("internal", `A stage gave ${sum.length} numbers for an embedding of ${this.#sum.length}.`),
      );
    }
    for (const [index, value] of sum.entries()) this.#sum[index] = (this.#sum[index] ?? 0) + value;
  }

  onEnd(outcome: JobOutcome): void {
    if (outcome.kind === "finished") this.#resolve(this.#embedding());
    else if (outcome.kind === "failed") this.#reject(outcome.error);
    else this.#reject(new ExoError("cancelled", "The request was cancelled by the client."));
  }

  #embedding(): Float32Array {
    const count = this.wanted === "all" ? this.promptTokens.length : 1;
    const length = this.#normalize ? Math.sqrt(this.#sum.reduce((total, value) => total + value * value, 0)) : count;
    // A text whose states are all 0 has no direction.
    return Float32Array.from(this.#sum, (value) => (length === 0 ? 0 : value / length));
  }
}
