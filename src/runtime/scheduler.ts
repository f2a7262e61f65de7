import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { Sample, SampleRequest } from "../native/stage.js";
import { type RingBatch, RingBatchBuilder } from "./micro-batch.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";
import { type GenerationJob, type JobOutcome, Slot } from "./slot.js";

export interface SchedulerOptions {
  readonly pipeline: Pipeline;
  /** Sequences at once. */
  readonly slotCount: number;
  /** Tokens of KV cache per sequence. */
  readonly contextSize: number;
  /** Rows in one micro-batch at most. */
  readonly microBatchSize: number;
  /** Jobs that may wait for a slot. */
  readonly queueLimit: number;
  /** Part of a sequence can be forgotten (not so for recurrent state): needed to reuse a prefix. */
  readonly canTrim: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SchedulerStats {
  readonly slots: number;
  readonly busySlots: number;
  readonly waiting: number;
  readonly microBatchesUnderWay: number;
}

/** Least part of a prompt that must be cached in a slot for it to be preferred. */
const WORTHWHILE_PREFIX = 0.25;

/** The slots whose rows a micro-batch holds, and for each of its samples the slot that asked for it. */
interface Flight {
  readonly batch: RingBatch;
  readonly slots: readonly Slot[];
  readonly sampled: readonly Slot[];
}

/**
 * Continuous batching at the head of a ring. Deals waiting jobs into slots and keeps up to `pipeline.depth` micro-batches
 * under way. A micro-batch takes the next token of every slot that has one, then fills up with prompt chunks in order
 * of arrival; chunks of one prompt follow each other without waiting for an answer.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #slots: readonly Slot[];
  readonly #waiting: GenerationJob[] = [];
  #underWay = 0;
  #admitted = 0;
  #closed: ExoError | null = null;
  #idle: (() => void)[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.slotCount }, (_, sequence) => new Slot(sequence));
    options.pipeline.onBroken((error) => this.#shutDown(error));
  }

  /** Queues a job; throws `overloaded` when the queue is full, or why nothing is computed any more. */
  submit(job: GenerationJob): void {
    const refusal = this.#closed ?? this.#options.pipeline.broken;
    if (refusal !== null) throw refusal;
    if (this.#waiting.length >= this.#options.queueLimit) {
      throw new ExoError(
        "overloaded",
        `All ${this.#slots.length} slots are busy and ${this.#waiting.length} requests wait already; try again later.`,
      );
    }
    if (job.signal.aborted) {
      job.onEnd({ kind: "cancelled" });
      return;
    }
    job.signal.addEventListener("abort", () => this.#cancel(job), { once: true });
    this.#waiting.push(job);
    this.#pump();
  }

  stats(): SchedulerStats {
    return {
      slots: this.#slots.length,
      busySlots: this.#slots.filter((slot) => !slot.idle).length,
      waiting: this.#waiting.length,
      microBatchesUnderWay: this.#underWay,
    };
  }

  /** Ends every job with `error` and resolves when nothing is under way. */
  async close(error: ExoError): Promise<void> {
    this.#shutDown(error);
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #shutDown(error: ExoError): void {
    this.#closed ??= error;
    const outcome: JobOutcome = { kind: "failed", error };
    for (const job of this.#waiting.splice(0)) job.onEnd(outcome);
    for (const slot of this.#slots) this.#end(slot, outcome);
  }

  #cancel(job: GenerationJob): void {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      job.onEnd({ kind: "cancelled" });
      return;
    }
    const slot = this.#slots.find((candidate) => candidate.job === job);
    if (slot === undefined) return;
    this.#end(slot, { kind: "cancelled" });
    this.#pump();
  }

  #pump(): void {
    while (this.#closed === null && this.#underWay < this.#options.pipeline.depth) {
      const flight = this.#nextFlight();
      if (flight === null) return;
      this.#launch(flight);
    }
  }

  #launch(flight: Flight): void {
    this.#underWay += 1;
    for (const slot of flight.slots) slot.underWay += 1;
    this.#options.pipeline
      .run(flight.batch)
      .then(
        (result) => this.#land(flight, result),
        (thrown: unknown) => this.#crash(flight, ExoError.from(thrown)),
      )
      .finally(() => {
        this.#underWay -= 1;
        this.#pump();
        if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
  }

  #land(flight: Flight, result: PipelineResult): void {
    for (const slot of flight.slots) slot.underWay -= 1;
    flight.sampled.forEach((slot, index) => {
      const sample = result.samples[index];
      if (sample !== undefined && slot.outcome === null) this.#accept(slot, sample);
    });
    for (const slot of flight.slots) this.#releaseIfDone(slot);
  }

  #crash(flight: Flight, error: ExoError): void {
    this.#options.logger.warn({ code: error.code, error: error.message }, "a micro-batch failed");
    for (const slot of flight.slots) {
      slot.underWay -= 1;
      // What the stages hold of this sequence is unknown now: forget it all before the slot is used again.
      slot.cached = [];
      slot.outcome = { kind: "failed", error };
      this.#releaseIfDone(slot);
    }
  }

  #accept(slot: Slot, sample: Sample | ExoError): void {
    const job = slot.job;
    if (job === null) return;
    if (sample instanceof ExoError) {
      slot.outcome = { kind: "failed", error: sample };
      return;
    }
    slot.generated += 1;
    slot.nextToken = sample.token;
    const goOn = job.onToken(sample);
    if (sample.isEndOfGeneration || !goOn) {
      slot.outcome = { kind: "finished", reason: "stop" };
    } else if (slot.generated >= job.maxTokens || slot.cached.length >= this.#options.contextSize) {
      slot.outcome = { kind: "finished", reason: "length" };
    }
  }

  #end(slot: Slot, outcome: JobOutcome): void {
    if (slot.job === null) return;
    slot.outcome ??= outcome;
    this.#releaseIfDone(slot);
  }

  #releaseIfDone(slot: Slot): void {
    const { job, outcome } = slot;
    if (job === null || outcome === null || slot.underWay > 0) return;
    slot.job = null;
    slot.outcome = null;
    slot.nextToken = null;
    slot.generated = 0;
    slot.lastUsed = this.#options.clock.monotonic();
    job.onEnd(outcome);
  }

  #nextFlight(): Flight | null {
    const builder = new RingBatchBuilder(this.#options.microBatchSize);
    const slots = new Set<Slot>();
    this.#admit(builder, slots);
    const sampled: Slot[] = [];
    for (const slot of this.#slots) this.#addDecodeRow(builder, slot, slots, sampled);
    for (const slot of this.#prefilling()) this.#addPromptRows(builder, slot, slots, sampled);
    if (builder.isEmpty) return null;
    return { batch: builder.build(), slots: [...slots], sampled };
  }

  /** Gives waiting jobs the idle slots that hold most of their prompt already. */
  #admit(builder: RingBatchBuilder, slots: Set<Slot>): void {
    for (;;) {
      const job = this.#waiting[0];
      const slot = job === undefined ? null : this.#bestIdleSlot(job);
      if (job === undefined || slot === null) return;
      this.#waiting.shift();
      const reused = this.#reusable(slot, job);
      builder.addKvOperation({ op: "remove", sequence: slot.sequence, from: reused, to: null });
      slot.cached.length = reused;
      slot.job = job;
      slot.order = this.#admitted++;
      slots.add(slot);
      job.onStarted(reused);
    }
  }

  /** The idle slot that saves most, unless that is little: then the one longest unused, so that long prefixes survive. */
  #bestIdleSlot(job: GenerationJob): Slot | null {
    const idle = this.#slots.filter((slot) => slot.idle);
    const saving = greatest(idle, (slot) => this.#reusable(slot, job));
    const saved = saving === null ? 0 : this.#reusable(saving, job);
    if (saved > 0 && saved >= job.promptTokens.length * WORTHWHILE_PREFIX) return saving;
    return greatest(idle, (slot) => -slot.lastUsed);
  }

  #reusable(slot: Slot, job: GenerationJob): number {
    return this.#options.canTrim && job.reusePrefix ? slot.reusablePrefix(job.promptTokens) : 0;
  }

  #addDecodeRow(builder: RingBatchBuilder, slot: Slot, slots: Set<Slot>, sampled: Slot[]): void {
    const { job, nextToken } = slot;
    if (job === null || nextToken === null || slot.outcome !== null || builder.rowsLeft === 0) return;
    builder.addRow(slot.sequence, slot.cached.length, nextToken, sampleOf(job));
    slot.cached.push(nextToken);
    slot.nextToken = null;
    slots.add(slot);
    sampled.push(slot);
  }

  #prefilling(): Slot[] {
    return this.#slots
      .filter((slot) => slot.job !== null && slot.outcome === null && slot.promptLeft > 0)
      .sort((a, b) => a.order - b.order);
  }

  #addPromptRows(builder: RingBatchBuilder, slot: Slot, slots: Set<Slot>, sampled: Slot[]): void {
    const job = slot.job;
    if (job === null || builder.rowsLeft === 0) return;
    const begin = slot.cached.length;
    const end = Math.min(job.promptTokens.length, begin + builder.rowsLeft);
    for (const [offset, token] of job.promptTokens.slice(begin, end).entries()) {
      const position = begin + offset;
      const last = position === job.promptTokens.length - 1;
      builder.addRow(slot.sequence, position, token, last ? sampleOf(job) : null);
      if (last) sampled.push(slot);
      slot.cached.push(token);
    }
    slots.add(slot);
  }
}

function sampleOf(job: GenerationJob): Omit<SampleRequest, "row"> {
  return { sampler: job.sampler, logprobs: job.logprobs };
}

/** The first of those for which `measure` is largest. */
function greatest<Item>(items: readonly Item[], measure: (item: Item) => number): Item | null {
  const sizes = items.map(measure);
  return items[sizes.indexOf(Math.max(...sizes))] ?? null;
}
