/** Fewest rows at which CPU kernels work at about full speed (llama-bench, IQ2_XXS: 64 rows 0.85 of 256, 128 rows 0.95). */
const LEAST_CHUNK = 128;
/** Chunks of a long prompt per stage that follows: enough that filling and draining the pipeline costs little. */
const CHUNKS_PER_STAGE = 16;
/** Chunks are multiples of this many rows. */
export const CHUNK_STEP = 32;

/**
 * Rows to send at a time of a prompt that is alone. On one node: all that fit in a micro-batch. In a ring so few that
 * the stages work on different chunks at once, but a short prompt in one.
 */
export function prefillChunk(stageCount: number, microBatchSize: number, promptTokens: number): number {
  if (stageCount === 1 || promptTokens <= LEAST_CHUNK) return microBatchSize;
  const pipelined = roundUpChunk(promptTokens / (CHUNKS_PER_STAGE * (stageCount - 1)));
  return Math.min(microBatchSize, Math.max(LEAST_CHUNK, pipelined));
}

export function roundUpChunk(rows: number): number {
  return Math.max(CHUNK_STEP, Math.ceil(rows / CHUNK_STEP) * CHUNK_STEP);
}
