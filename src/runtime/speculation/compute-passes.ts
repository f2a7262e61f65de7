/** Rows of one sequence in a micro-batch. */
export interface SequenceRows {
  readonly sequence: number;
  readonly rows: number;
}

/**
 * The rows of each pass in which llama.cpp computes a micro-batch: with a KV cache for each sequence it takes sequences
 * that follow each other without a gap, the same number of rows of each, until one has no more
 * (`llama_batch_allocr::split_equal`). Each pass reads all weights once, so sequences with unlike numbers of rows cost
 * more than their rows.
 *
 * @param sequences in ascending order
 */
export function computePasses(sequences: readonly SequenceRows[]): number[] {
  const passes: number[] = [];
  let left = sequences.filter(({ rows }) => rows > 0);
  while (left.length > 0) {
    const run = firstRun(left);
    const least = Math.min(...run.map(({ rows }) => rows));
    passes.push(run.length * least);
    left = left
      .map((entry, index) => (index < run.length ? { ...entry, rows: entry.rows - least } : entry))
      .filter(({ rows }) => rows > 0);
  }
  return passes;
}

/** The sequences at the beginning whose numbers have no gap. */
function firstRun(sequences: readonly SequenceRows[]): readonly SequenceRows[] {
  const first = sequences[0]?.sequence ?? 0;
  const end = sequences.findIndex(({ sequence }, index) => sequence !== first + index);
  return end < 0 ? sequences : sequences.slice(0, end);
}
