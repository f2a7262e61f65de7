import { CHUNK_STEP, prefillChunk, roundUpChunk } from "../planning/prefill-chunk.js";

/** While others wait for their next token, a chunk keeps a stage for about so long. */
const PATIENCE_SECONDS = 0.25;

/** Decides how much of a prompt goes into one micro-batch, from what prompt rows were seen to cost. */
export class PrefillPolicy {
  readonly #stageCount: number;
  readonly #microBatchSize: number;
  /** Of one stage for one row of a prompt; 0 before the first. */
  #secondsPerRow = 0;

  constructor(stageCount: number, microBatchSize: number) {
    this.#stageCount = stageCount;
    this.#microBatchSize = microBatchSize;
  }

  /** What a micro-batch with `rows` rows of prompts took on the threads of all stages together. */
  record(rows: number, compute: number): void {
    if (rows < CHUNK_STEP) return;
    const now = compute / this.#stageCount / rows;
    this.#secondsPerRow = this.#secondsPerRow === 0 ? now : (this.#secondsPerRow + now) / 2;
  }

  /** Rows to send at a time of a prompt of `promptTokens`. While others decode, so few that they are not kept waiting. */
  chunk(promptTokens: number, othersDecode: boolean): number {
    const size = prefillChunk(this.#stageCount, this.#microBatchSize, promptTokens);
    if (!othersDecode || this.#secondsPerRow === 0) return size;
    return Math.min(size, roundUpChunk(PATIENCE_SECONDS / this.#secondsPerRow));
  }
}
