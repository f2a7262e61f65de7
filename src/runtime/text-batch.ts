import type { RingBatchBuilder } from "./micro-batch.js";
import type { EmbeddingJob, Slot } from "./slot.js";

/** A text, or a part of it, in a micro-batch. */
export interface SentText {
  readonly slot: Slot;
  readonly job: EmbeddingJob;
  /** States of some of these rows are wanted. */
  readonly hasStates: boolean;
  /** Nothing of the text is left to be sent. */
  readonly isLast: boolean;
}

interface Share {
  readonly slot: Slot;
  readonly job: EmbeddingJob;
  readonly rows: number;
}

/**
 * Fills a micro-batch with texts to embed, those that came first before others. A text is cut only where it is longer than
 * `room`: what is computed in pieces has other last bits. One that must not be cut goes whole also where it is longer, if
 * it is the first.
 */
export function addTexts(builder: RingBatchBuilder, slots: readonly Slot[], room: number): readonly SentText[] {
  const shares = shareOut(slots, room, builder.rowsLeft);
  // In the order of their sequences, because llama.cpp computes in one pass only rows whose sequences follow without a gap.
  return shares.toSorted((a, b) => a.slot.sequence - b.slot.sequence).map((share) => addText(builder, share));
}

function shareOut(slots: readonly Slot[], room: number, most: number): readonly Share[] {
  const shares: Share[] = [];
  let left = Math.min(room, most);
  for (const slot of slots.toSorted((a, b) => a.order - b.order)) {
    const { text: job, textLeft } = slot;
    if (job === null || left <= 0) break;
    if (job.pieces !== "any" && textLeft > (shares.length === 0 ? most : left)) break;
    if (job.pieces === "any" && textLeft > left && textLeft <= room) break;
    if (job.pieces === "alone" && shares.length > 0) break;
    const rows = job.pieces === "any" ? Math.min(left, textLeft) : textLeft;
    shares.push({ slot, job, rows });
    left -= rows;
    if (job.pieces === "alone") break;
  }
  return shares;
}

function addText(builder: RingBatchBuilder, { slot, job, rows }: Share): SentText {
  const begin = slot.textSent;
  const last = job.promptTokens.length - 1;
  let hasStates = false;
  for (const [offset, token] of job.promptTokens.slice(begin, begin + rows).entries()) {
    const position = begin + offset;
    const output = job.wanted === "all" || position === (job.wanted === "first" ? 0 : last);
    builder.addTextRow(slot.sequence, position, token, output);
    hasStates ||= output;
  }
  slot.textSent += rows;
  return { slot, job, hasStates, isLast: slot.textLeft === 0 };
}

/**
 * Gives each text the sum of its states, and ends those that are complete.
 * @param pooled as `PipelineResult.pooled`
 */
export function landTexts(texts: readonly SentText[], pooled: Float32Array | null): void {
  const withStates = texts.filter(({ hasStates }) => hasStates);
  const width = pooled === null ? 0 : pooled.length / withStates.length;
  for (const [index, { job }] of withStates.entries()) {
    job.onStates((pooled ?? new Float32Array()).subarray(index * width, (index + 1) * width));
  }
  for (const { slot, isLast } of texts) if (isLast) slot.outcome ??= { kind: "finished", reason: "stop" };
}
