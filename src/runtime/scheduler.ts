import type { RingRatesRecord } from "../cluster/ring-rates.js";
import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { pause } from "../core/waiting.js";
import type { Sample, SampleRun } from "../native/stage.js";
import { Admission } from "./admission.js";
import type { ContextFull } from "./context-shift.js";
import { type Flight, FlightPlanner } from "./flight-planner.js";
import { JobWatch } from "./job-watch.js";
import type { Pipeline, PipelineResult } from "./pipeline.js";
import { PrefixIndex } from "./prefix-index.js";
import { type GenerationJob, isBegun, type Job, type JobOutcome, Slot } from "./slot.js";
import { type Sampled, SlotDrafts } from "./slot-drafts.js";
import type { Speculator } from "./speculation/speculator.js";
import { landTexts } from "./text-batch.js";
import { TokenRates } from "./token-rates.js";
import { notePasses } from "./tracing/note-passes.js";

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
  /** `shift` needs stages that can trim and shift. */
  readonly contextFull: ContextFull;
  /** Drafts tokens where sequences can be trimmed; `null`: nothing is drafted. */
  readonly speculator: Speculator | null;
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
/** What is under way when everything ends may take so long to come back. */
const LONGEST_LANDING_MS = 2000;

/**
 * Continuous batching at the head of a ring. Deals waiting jobs into slots. Running requests go round in groups
 * (`group-size.ts`) that follow each other, so that no stage idles; prompts are cut into chunks (`prefill-policy.ts`) that
 * follow each other without waiting for an answer, `stages + 1` of them under way, and travel with the groups.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #slots: readonly Slot[];
  readonly #admission: Admission;
  readonly #planner: FlightPlanner;
  readonly #watches = new Map<Job, JobWatch>();
  readonly #speculator: Speculator | null;
  readonly #rates: TokenRates;
  /** In the order of their launch, which is the order in which the stages compute them. */
  readonly #underWay = new Set<Flight>();
  #closed: ExoError | null = null;
  /** Jobs whose last token their readers may not know of yet. */
  readonly #undelivered = new Set<GenerationJob>();
  #idle: (() => void)[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#rates = new TokenRates(options.clock);
    const prefixes = new PrefixIndex();
    this.#slots = Array.from(
      { length: options.slotCount },
      (_, sequence) => new Slot(sequence, prefixes.addSequence()),
    );
    this.#admission = new Admission({ ...options, slots: this.#slots, prefixes });
    const { stageCount } = options.pipeline;
    this.#speculator = options.canTrim ? options.speculator : null;
    this.#speculator?.onReady(() => this.#pump());
    const drafts = new SlotDrafts(this.#speculator, options.contextSize);
    this.#planner = new FlightPlanner({
      ...options,
      stageCount,
      slots: this.#slots,
      admission: this.#admission,
      drafts,
    });
    options.pipeline.onBroken((error) => this.#shutDown(error));
  }

  /** Throws `overloaded` when the queue has no room for this client, or why nothing is computed any more. */
  checkRoom(client = ""): void {
    this.#checkOpen();
    this.#admission.checkRoom(client);
  }

  /** Queues a job. Throws as `checkRoom`. */
  submit(job: Job): void {
    this.checkRoom(job.client);
    const out = this.#admission.makeRoom();
    if (out !== null) this.#finish(out.job, { kind: "failed", error: out.error });
    this.enqueue(job);
  }

  /** Queues a job that goes on with what was let in before. Throws why nothing is computed any more. */
  enqueue(job: Job): void {
    this.#checkOpen();
    if (job.signal.aborted) {
      job.onEnd({ kind: "cancelled" });
      return;
    }
    this.#watches.set(
      job,
      new JobWatch(job, {
        onCancelled: () => this.#endEarly(job, { kind: "cancelled" }),
        onOverdue: () => this.#endEarly(job, this.#overdue(job)),
      }),
    );
    this.#admission.add(job);
    this.#pump();
  }

  stats(): SchedulerStats {
    return {
      slots: this.#slots.length,
      busySlots: this.#slots.filter((slot) => !slot.idle).length,
      waiting: this.#admission.waiting,
      microBatchesUnderWay: this.#underWay.size,
    };
  }

  rates(): RingRatesRecord {
    return this.#rates.now();
  }

  /**
   * Ends every job with `error` and resolves when nothing is under way, or after a short time: from a stage that hangs
   * nothing comes back until the pipeline is closed.
   */
  async close(error: ExoError): Promise<void> {
    this.#shutDown(error);
    if (this.#underWay.size === 0) return;
    const landed = new AbortController();
    this.#idle.push(() => landed.abort());
    await pause(LONGEST_LANDING_MS, landed.signal);
  }

  #checkOpen(): void {
    const refusal = this.#closed ?? this.#options.pipeline.broken;
    if (refusal !== null) throw refusal;
  }

  #slotOf(job: Job): Slot | undefined {
    return this.#slots.find((slot) => slot.job === job || slot.text === job);
  }

  #shutDown(error: ExoError): void {
    this.#closed ??= error;
    const outcome: JobOutcome = { kind: "failed", error };
    for (const job of this.#admission.clear()) this.#finish(job, outcome);
    for (const slot of this.#slots) this.#end(slot, outcome);
  }

  #endEarly(job: Job, outcome: JobOutcome): void {
    if (this.#admission.withdraw(job)) {
      this.#finish(job, outcome);
      return;
    }
    const slot = this.#slotOf(job);
    if (slot === undefined) return;
    this.#end(slot, outcome);
    this.#pump();
  }

  /** What has been generated is of use; nothing at all is a failure. */
  #overdue(job: Job): JobOutcome {
    const slot = this.#slotOf(job);
    if (isBegun(job) || (slot !== undefined && slot.generated > 0)) return { kind: "finished", reason: "length" };
    const seconds = (job.timeLimitMs ?? 0) / 1000;
    const where = slot === undefined ? "waited for a slot" : "its prompt was being computed";
    const message = `The request was to take ${seconds} s at most, and ${where} until then; try again later or allow it more time.`;
    return { kind: "failed", error: new ExoError("deadline_exceeded", message) };
  }

  #pump(): void {
    while (this.#closed === null && this.#underWay.size < MOST_UNDER_WAY) {
      const flight = this.#planner.next();
      if (flight === null) return;
      this.#launch(flight);
    }
  }

  #launch(flight: Flight): void {
    this.#underWay.add(flight);
    this.#planner.launched(flight);
    for (const slot of flight.slots) slot.underWay += 1;
    this.#options.pipeline
      .run(flight.batch, () => this.#handedOver(flight))
      .then(
        (result) => this.#land(flight, result),
        (thrown: unknown) => this.#crash(flight, ExoError.from(thrown)),
      )
      .finally(() => {
        this.#underWay.delete(flight);
        const underWay = this.#underWay.size;
        this.#pump();
        if (this.#underWay.size === underWay) this.#deliver();
        if (this.#underWay.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
      });
  }

  #handedOver(flight: Flight): void {
    this.#planner.leftFirstStage(flight);
    this.#pump();
    this.#deliver();
  }

  #land(flight: Flight, result: PipelineResult): void {
    this.#deliver();
    for (const slot of flight.slots) slot.underWay -= 1;
    const goOn = flight.sampled.map(({ slot }) => slot.generated > 0);
    const tokens = flight.sampled.map((sampled, index) => this.#acceptRun(sampled, result.samples[index] ?? []));
    this.#planner.landed(flight, result.timings, tokens);
    notePasses(flight, result, goOn, tokens, this.#options.clock);
    const decoded = tokens.reduce((sum, count, index) => (goOn[index] ? sum + count : sum), 0);
    landTexts(flight.texts, result.pooled);
    this.#rates.landed({ decoded, promptRows: flight.promptRows, seconds: result.timings.total });
    for (const slot of flight.slots) this.#releaseIfDone(slot);
  }

  /** Takes what was sampled after a slot's row, and after the drafted ones that were right; returns how many tokens. */
  #acceptRun({ slot, job, draft }: Sampled, run: SampleRun): number {
    let taken = 0;
    for (const sample of run) {
      if (slot.outcome !== null) break;
      const confirmed = draft[taken - 1];
      if (confirmed !== undefined) slot.cached.push(confirmed);
      this.#accept(slot, sample);
      taken += 1;
    }
    const accepted = Math.max(0, taken - 1);
    slot.stale = accepted < draft.length;
    if (draft.length > 0) job.onDrafted(accepted, draft.length - accepted);
    return taken;
  }

  #crash(flight: Flight, error: ExoError): void {
    this.#options.logger.warn({ code: error.code, error: error.message }, "a micro-batch failed");
    this.#planner.landed(flight, null, []);
    for (const slot of flight.slots) slot.underWay -= 1;
    for (const slot of this.#lostWith(flight)) {
      // What the stages hold of this sequence is unknown now: forget it all before the slot is used again.
      slot.cached.truncate(0);
      slot.outcome ??= { kind: "failed", error };
      this.#releaseIfDone(slot);
    }
  }

  /** The slots of a micro-batch that failed, and those for which tokens were copied from them since. */
  #lostWith(failed: Flight): readonly Slot[] {
    const lost = new Set(failed.slots.map(({ sequence }) => sequence));
    const launched = [...this.#underWay];
    for (const { copies } of launched.slice(launched.indexOf(failed) + 1)) {
      for (const { sequence, destination } of copies) if (lost.has(sequence)) lost.add(destination);
    }
    return this.#slots.filter(({ sequence }) => lost.has(sequence));
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
    this.#speculator?.accepted(job, sample.token);
    const goOn = job.onToken(sample);
    if (slot.generated === 1) job.deliver();
    else this.#undelivered.add(job);
    if (sample.isEndOfGeneration || !goOn) {
      slot.outcome = { kind: "finished", reason: "stop" };
    } else if (slot.generated >= job.maxTokens || (this.#isFull(slot) && this.#options.contextFull === "stop")) {
      slot.outcome = { kind: "finished", reason: "length" };
    } else if (job.readerIsBehind && !slot.paused) {
      this.#pause(slot, job);
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
    if (slot.idle) return;
    slot.outcome ??= outcome;
    this.#releaseIfDone(slot);
  }

  #releaseIfDone(slot: Slot): void {
    const { outcome } = slot;
    const job = slot.job ?? slot.text;
    if (job === null || outcome === null || slot.underWay > 0) return;
    if (slot.job !== null) {
      this.#undelivered.delete(slot.job);
      this.#speculator?.ended(slot.job, slot.sequence);
    }
    // What the stages hold of a text is of no use to others.
    if (slot.text !== null) slot.stale = true;
    slot.free();
    this.#admission.touch(slot);
    this.#finish(job, outcome);
  }

  #finish(job: Job, outcome: JobOutcome): void {
    this.#watches.get(job)?.stop();
    this.#watches.delete(job);
    job.onEnd(outcome);
  }

  #isFull(slot: Slot): boolean {
    return slot.cached.length >= this.#options.contextSize;
  }

  /** Others go on; this one's slot stays its own until its reader has caught up or is gone. */
  #pause(slot: Slot, job: GenerationJob): void {
    slot.paused = true;
    job.whenReaderCaughtUp(() => {
      if (slot.job !== job) return;
      slot.paused = false;
      this.#pump();
    });
  }
}
