/** Fewest rows at which CPU kernels work at about full speed (llama-bench, IQ2_XXS: 64 rows 0.85 of 256, 128 rows 0.95). */
const LEAST_CHUNK = 128;
/** Chunks of a long prompt per stage that follows: enough that filling and draining the pipeline costs little. */
const CHUNKS_PER_STAGE = 16;
/** While others wait for their next token, a chunk keeps a stage for about so long. */
const PATIENCE_SECONDS = 0.25;
const STEP = 32;

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
    if (rows < STEP) return;
    const now = compute / this.#stageCount / rows;
    this.#secondsPerRow = this.#secondsPerRow === 0 ? now : (this.#secondsPerRow + now) / 2;
  }

  /**
   * Rows to send at a time of a prompt of `promptTokens`. Alone on one node: all that fit. In a ring so few that the
   * stages work on different chunks at once, but a short prompt in one. While others decode, so few that they are not
   * kept waiting.
   */
  chunk(promptTokens: number, othersDecode: boolean): number {
    const size = Math.min(this.#microBatchSize, this.#pipelined(promptTokens));
    if (!othersDecode || this.#secondsPerRow === 0) return size;
    const patient = roundUp(PATIENCE_SECONDS / this.#secondsPerRow);
    return Math.min(size, patient);
  }

  #pipelined(promptTokens: number): number {
    if (this.#stageCount === 1 || promptTokens <= LEAST_CHUNK) return this.#microBatchSize;
    return Math.max(LEAST_CHUNK, roundUp(promptTokens / (CHUNKS_PER_STAGE * (this.#stageCount - 1))));
  }
}

function roundUp(rows: number): number {
  return Math.max(STEP, Math.ceil(rows / STEP) * STEP);
}
