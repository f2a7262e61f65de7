import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { Sample, SampleRequest } from "../native/stage.js";
import { Admission } from "./admission.js";
import { GroupSizer } from "./group-size.js";
import { type RingBatch, RingBatchBuilder } from "./micro-batch.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";
import { PrefillPolicy } from "./prefill-policy.js";
import { PrefixIndex } from "./prefix-index.js";
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

/** Half of the frames that an edge lets be under way (`HOP_WINDOW`), less one. */
const MOST_UNDER_WAY = 15;

/** The slots whose rows a micro-batch holds, and for each of its samples the slot that asked for it. */
interface Flight {
  readonly batch: RingBatch;
  readonly slots: readonly Slot[];
  readonly sampled: readonly Slot[];
  /** Rows that carry a request's next token, and rows of prompts. */
  readonly decodeRows: number;
  readonly promptRows: number;
}

/**
 * Continuous batching at the head of a ring. Deals waiting jobs into slots. Running requests go round in groups
 * (`group-size.ts`) that follow each other, so that no stage idles; prompts are cut into chunks (`prefill-policy.ts`) that
 * follow each other without waiting for an answer, `stages + 1` of them under way, and travel with the groups.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #slots: readonly Slot[];
  readonly #admission: Admission;
  readonly #groups: GroupSizer;
  readonly #prefill: PrefillPolicy;
  #underWay = 0;
  #groupsUnderWay = 0;
  #promptsUnderWay = 0;
  /** Prompts found no room beside a group: they come before the next one, or they would wait for as long as it runs. */
  #promptsAreDue = false;
  /** A shorter prompt went before the one that came first. */
  #oldestPassedOver = false;
  #closed: ExoError | null = null;
  /** Jobs whose last token their readers may not know of yet. */
  readonly #undelivered = new Set<GenerationJob>();
  #idle: (() => void)[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    const prefixes = new PrefixIndex();
    this.#slots = Array.from(
      { length: options.slotCount },
      (_, sequence) => new Slot(sequence, prefixes.addSequence()),
    );
    this.#admission = new Admission({ ...options, slots: this.#slots, prefixes });
    this.#groups = new GroupSizer(options.pipeline.stageCount);
    this.#prefill = new PrefillPolicy(options.pipeline.stageCount, options.microBatchSize);
    options.pipeline.onBroken((error) => this.#shutDown(error));
  }

  /** Queues a job; throws `overloaded` when the queue is full, or why nothing is computed any more. */
  submit(job: GenerationJob): void {
    const refusal = this.#closed ?? this.#options.pipeline.broken;
    if (refusal !== null) throw refusal;
    this.#admission.checkRoom();
    if (job.signal.aborted) {
      job.onEnd({ kind: "cancelled" });
      return;
    }
    job.signal.addEventListener("abort", () => this.#cancel(job), { once: true });
    this.#admission.add(job);
    this.#pump();
  }

  stats(): SchedulerStats {
    return {
      slots: this.#slots.length,
      busySlots: this.#slots.filter((slot) => !slot.idle).length,
      waiting: this.#admission.waiting,
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
    for (const job of this.#admission.clear()) job.onEnd(outcome);
    for (const slot of this.#slots) this.#end(slot, outcome);
  }

  #cancel(job: GenerationJob): void {
    if (this.#admission.withdraw(job)) {
      job.onEnd({ kind: "cancelled" });
      return;
    }
    const slot = this.#slots.find((candidate) => candidate.job === job);
    if (slot === undefined) return;
    this.#end(slot, { kind: "cancelled" });
    this.#pump();
  }

  #pump(): void {
    while (this.#closed === null && this.#underWay < MOST_UNDER_WAY) {
      const flight = this.#nextFlight();
      if (flight === null) return;
      this.#launch(flight);
    }
  }

  #launch(flight: Flight): void {
    this.#underWay += 1;
    if (flight.decodeRows > 0) this.#groupsUnderWay += 1;
    if (flight.promptRows > 0) this.#promptsUnderWay += 1;
    for (const slot of flight.slots) slot.underWay += 1;
    this.#options.pipeline
      .run(flight.batch, () => this.#deliver())
      .then(
        (result) => this.#land(flight, result),
        (thrown: unknown) => this.#crash(flight, ExoError.from(thrown)),
      )
      .finally(() => {
        this.#underWay -= 1;
        if (flight.decodeRows > 0) this.#groupsUnderWay -= 1;
        if (flight.promptRows > 0) this.#promptsUnderWay -= 1;
        const underWay = this.#underWay;
        this.#pump();
        if (this.#underWay === underWay) this.#deliver();
        if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
  }

  #land(flight: Flight, result: PipelineResult): void {
    this.#deliver();
    this.#learn(flight, result);
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
      slot.cached.truncate(0);
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
    slot.readySince = this.#options.clock.monotonic();
    const goOn = job.onToken(sample);
    if (slot.generated === 1) job.deliver();
    else this.#undelivered.add(job);
    if (sample.isEndOfGeneration || !goOn) {
      slot.outcome = { kind: "finished", reason: "stop" };
    } else if (slot.generated >= job.maxTokens || slot.cached.length >= this.#options.contextSize) {
      slot.outcome = { kind: "finished", reason: "length" };
    }
  }

  /**
   * Readers learn of their tokens when the next micro-batch has left this node: telling them is work, and until then it
   * would keep the ring waiting.
   */
  #deliver(): void {
    for (const job of this.#undelivered) job.deliver();
    this.#undelivered.clear();
  }

  #end(slot: Slot, outcome: JobOutcome): void {
    if (slot.job === null) return;
    slot.outcome ??= outcome;
    this.#releaseIfDone(slot);
  }

  #releaseIfDone(slot: Slot): void {
    const { job, outcome } = slot;
    if (job === null || outcome === null || slot.underWay > 0) return;
    this.#undelivered.delete(job);
    slot.job = null;
    slot.outcome = null;
    slot.nextToken = null;
    slot.generated = 0;
    this.#admission.touch(slot);
    job.onEnd(outcome);
  }

  #learn({ promptRows, batch }: Flight, { timings }: PipelineResult): void {
    if (promptRows > 0) this.#prefill.record(batch.rowCount, timings.compute);
    else this.#groups.record(batch.rowCount, timings.compute, timings.total - timings.compute - timings.queue);
  }

  #nextFlight(): Flight | null {
    const builder = new RingBatchBuilder(this.#options.microBatchSize);
    const slots = new Set<Slot>();
    const sampled: Slot[] = [];
    const mayPrefill = this.#promptsUnderWay <= this.#options.pipeline.stageCount;
    if (mayPrefill) for (const slot of this.#admission.admit(builder)) slots.add(slot);
    const prompts = mayPrefill ? this.#slots.filter((slot) => slot.outcome === null && slot.promptLeft > 0) : [];
    if (!this.#promptsAreDue || prompts.length === 0) {
      for (const slot of this.#nextGroup()) this.#addDecodeRow(builder, slot, slots, sampled);
    }
    const decodeRows = this.#options.microBatchSize - builder.rowsLeft;
    this.#promptsAreDue = prompts.length > 0 && builder.rowsLeft === 0;
    this.#addPrompts(builder, prompts, slots, sampled);
    if (builder.isEmpty) return null;
    const batch = builder.build();
    return { batch, slots: [...slots], sampled, decodeRows, promptRows: batch.rowCount - decodeRows };
  }

  /**
   * The group of the slot that waited longest for its token to be computed, as far as it is ready; none while as many
   * groups as there shall be are under way: the next one to land is joined instead. Groups are runs of neighbours, in the
   * order of their sequences, because llama.cpp computes in one pass only rows whose sequences follow without a gap.
   */
  #nextGroup(): Slot[] {
    const running = this.#slots.filter((slot) => slot.decoding);
    const size = Math.min(this.#groups.choose(running.length), this.#options.microBatchSize);
    if (this.#groupsUnderWay >= Math.ceil(running.length / size)) return [];
    const oldest = greatest(running.filter(isReady), (slot) => -slot.readySince);
    if (oldest === null) return [];
    const first = Math.floor(running.indexOf(oldest) / size) * size;
    return running.slice(first, first + size).filter(isReady);
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

  /**
   * One chunk: in turn of the prompt with least left, so that a short one need not wait for a long one, and of the one
   * that came first, so that it is not passed over for ever. What room is left goes to the others, unless that would make
   * a short one wait for rows of a long one.
   */
  #addPrompts(builder: RingBatchBuilder, prompts: readonly Slot[], slots: Set<Slot>, sampled: Slot[]): void {
    if (builder.rowsLeft === 0) return;
    const byLength = prompts.toSorted((a, b) => a.promptLeft - b.promptLeft || a.order - b.order);
    const oldest = greatest(prompts, (slot) => -slot.order);
    const first = this.#oldestPassedOver ? oldest : byLength[0];
    if (first?.job == null) return;
    this.#oldestPassedOver = first !== oldest;
    const othersDecode = this.#slots.some((slot) => slot.decoding);
    let room = Math.min(builder.rowsLeft, this.#prefill.chunk(first.job.promptTokens.length, othersDecode));
    for (const slot of [first, ...byLength.filter((other) => other !== first)]) {
      if (this.#oldestPassedOver && slot !== first && slot.promptLeft > room) return;
      room -= this.#addPromptRows(builder, slot, room, slots, sampled);
    }
  }

  /** Adds at most `room` rows of a prompt; returns how many. */
  #addPromptRows(builder: RingBatchBuilder, slot: Slot, room: number, slots: Set<Slot>, sampled: Slot[]): number {
    const job = slot.job;
    if (job === null || room <= 0) return 0;
    const begin = slot.cached.length;
    const rows = job.promptTokens.slice(begin, begin + room);
    for (const [offset, token] of rows.entries()) {
      const position = begin + offset;
      const last = position === job.promptTokens.length - 1;
      builder.addRow(slot.sequence, position, token, last ? sampleOf(job) : null);
      if (last) sampled.push(slot);
      slot.cached.push(token);
    }
    slots.add(slot);
    return rows.length;
  }
}

function isReady(slot: Slot): boolean {
  return slot.nextToken !== null;
}

function sampleOf(job: GenerationJob): Omit<SampleRequest, "row"> {
  return { sampler: job.sampler, logprobs: job.logprobs };
}

/** The first of those for which `measure` is largest. */
function greatest<Item>(items: readonly Item[], measure: (item: Item) => number): Item | null {
  const sizes = items.map(measure);
  return items[sizes.indexOf(Math.max(...sizes))] ?? null;
}
