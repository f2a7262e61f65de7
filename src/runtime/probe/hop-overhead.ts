import type { RingRecord } from "../../cluster/node-record.js";
import { HOP_SECONDS } from "../../planning/ring/ring-problem.js";
import type { LinkSpeed } from "../../planning/speeds.js";

/** Ways round of a ring before what they say is believed. */
const LEAST_SAMPLES = 32;
const WEIGHT = 0.3;
/** Seconds per hop. What is seen beyond this is no cost of hops. */
const MOST = 0.01;
const F32_BYTES = 4;

/**
 * What a hop of a real ring takes beyond what its link does: ends that sleep between tokens wake up, and code and data come
 * from memory. Links are measured with one message after the other, where none of this happens.
 */
export class HopOverhead {
  #seconds = HOP_SECONDS;

  /** @param links as they were measured */
  learn(ring: RingRecord, links: readonly LinkSpeed[]): void {
    const expected = expectedHop(ring, links);
    if (ring.hops === null || ring.hops.samples < LEAST_SAMPLES || expected === null) return;
    const seen = Math.min(MOST, Math.max(0, ring.hops.p50 / 1000 - expected));
    this.#seconds += WEIGHT * (seen - this.#seconds);
  }

  /** Per hop. */
  get seconds(): number {
    return this.#seconds;
  }
}

/** Mean over the hops of a ring for a single row; `null` when a link of it was not measured. */
function expectedHop(ring: RingRecord, links: readonly LinkSpeed[]): number | null {
  if (ring.stages.length < 2) return null;
  // As f32; on links where it matters, smaller ones are the user's choice.
  const rowBytes = ring.card.embeddingSize * F32_BYTES;
  let sum = 0;
  for (const [index, stage] of ring.stages.entries()) {
    const next = ring.stages[(index + 1) % ring.stages.length];
    const link = links.find(({ from, to }) => from === stage.nodeId && to === next?.nodeId);
    if (link === undefined) return null;
    sum += link.seconds + rowBytes / link.bytesPerSecond;
  }
  return sum / ring.stages.length;
}
