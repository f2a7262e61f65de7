import assert from "node:assert/strict";
import type { EmbeddingJob, JobOutcome } from "../../src/runtime/slot.js";

/** A text to embed in a `HeldPipeline`, whose states are of one number: the token. */
export class RecordedText implements EmbeddingJob {
  readonly reusePrefix = false;
  readonly timeLimitMs = null;
  readonly outcomes: JobOutcome[] = [];
  /** The sums of its states. */
  sum = 0;
  readonly #abort = new AbortController();
  readonly signal: AbortSignal = this.#abort.signal;

  constructor(
    readonly promptTokens: readonly number[],
    readonly wanted: EmbeddingJob["wanted"] = "all",
    readonly pieces: EmbeddingJob["pieces"] = "any",
  ) {}

  /** What the sum must come to. */
  get expected(): number {
    const [first = 0] = this.promptTokens;
    if (this.wanted === "first") return first;
    return this.wanted === "last" ? (this.promptTokens.at(-1) ?? 0) : this.promptTokens.reduce((a, b) => a + b, 0);
  }

  cancel(): void {
    this.#abort.abort();
  }

  onStarted(cachedTokens: number): void {
    assert.equal(cachedTokens, 0);
  }

  onStates(sum: Float32Array): void {
    assert.equal(sum.length, 1);
    this.sum += sum[0] ?? 0;
  }

  onEnd(outcome: JobOutcome): void {
    this.outcomes.push(outcome);
  }
}
