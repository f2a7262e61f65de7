import type { PipelineTimings } from "./pipeline.js";
import type { GenerationJob, Slot } from "./slot.js";
import type { DraftCandidate, RingLoad, Speculator } from "./speculation/speculator.js";

/** A slot that asked for a sample, and the tokens that were drafted to follow its row. */
export interface Sampled {
  readonly slot: Slot;
  readonly job: GenerationJob;
  readonly draft: readonly number[];
}

/** What came of a micro-batch without rows of prompts. */
export interface LandedGroup {
  readonly sampled: readonly Sampled[];
  /** That each of them got: none if its request had ended meanwhile. */
  readonly tokens: readonly number[];
  readonly timings: PipelineTimings;
  /** When it was sent. */
  readonly load: RingLoad;
}

/** Drafts for slots: what the speculator needs to know of them, and of what came of it. */
export class SlotDrafts {
  readonly #speculator: Speculator | null;
  readonly #contextSize: number;

  /** @param speculator `null`: nothing is drafted */
  constructor(speculator: Speculator | null, contextSize: number) {
    this.#speculator = speculator;
    this.#contextSize = contextSize;
  }

  /** Its next token can go: it has one, and no draft model is at work for it. */
  isReady({ job, nextToken }: Slot): boolean {
    return job !== null && nextToken !== null && !this.#speculator?.isDrafting(job);
  }

  /** What to draft for each slot of a group, in their order. */
  draftsFor(group: readonly Slot[], load: RingLoad, rowsLeft: number): readonly (readonly number[])[] {
    const candidates = group.flatMap((slot) => this.#candidate(slot) ?? []);
    if (this.#speculator === null || candidates.length === 0 || candidates.length !== group.length) return [];
    return this.#speculator.draft(candidates, load, rowsLeft);
  }

  landed({ sampled, tokens, timings, load }: LandedGroup): void {
    const { compute, total, queue } = timings;
    const requests = sampled.map(({ slot: { sequence }, job, draft }, index) => ({
      job,
      sequence,
      drafted: draft.length,
      tokens: tokens[index] ?? 0,
    }));
    this.#speculator?.record({ ...load, requests, compute, overhead: total - compute - queue });
  }

  /** A micro-batch with the rows of one prompt and nothing else. */
  promptLanded(rows: number, { compute }: PipelineTimings): void {
    this.#speculator?.recordPrompt(rows, compute);
  }

  /** Sets the draft model to work for a slot that goes on, if that is likely to pay. */
  prepare(slot: Slot, load: RingLoad): void {
    const candidate = this.#candidate(slot);
    const { nextToken } = slot;
    if (candidate === null || nextToken === null || slot.paused) return;
    this.#speculator?.prepare(candidate, load, () => [...slot.cached.tokens, nextToken]);
  }

  #candidate({ job, outcome, sequence, generated, cached }: Slot): DraftCandidate | null {
    if (job === null || outcome !== null) return null;
    const wanted = job.maxTokens - generated - 1;
    return { job, sequence, room: Math.min(wanted, this.#contextSize - cached.length - 1) };
  }
}
