import type { SampleRequest } from "../native/stage.js";
import type { Admission } from "./admission.js";
import { shiftContext } from "./context-shift.js";
import { GroupSizer } from "./group-size.js";
import { type RingBatch, RingBatchBuilder, type SequenceCopy } from "./micro-batch.js";
import type { PipelineTimings } from "./pipeline.js";
import { PrefillPolicy } from "./prefill-policy.js";
import type { GenerationJob, Slot } from "./slot.js";
import type { Sampled, SlotDrafts } from "./slot-drafts.js";
import type { RingLoad } from "./speculation/speculator.js";
import { addTexts, type SentText } from "./text-batch.js";

/** The slots whose rows a micro-batch holds, and who asked for each of its samples. */
export interface Flight {
  readonly batch: RingBatch;
  readonly slots: readonly Slot[];
  readonly sampled: readonly Sampled[];
  /** Texts to embed, in the order of their rows; a micro-batch with such rows has no others. */
  readonly texts: readonly SentText[];
  /** Which sequences begin with tokens of which others. */
  readonly copies: readonly SequenceCopy[];
  /** Rows that carry a request's next tokens, and rows of prompts or of texts. */
  readonly decodeRows: number;
  readonly promptRows: number;
  /** When it was sent. */
  readonly load: RingLoad;
}

export interface FlightPlannerOptions {
  readonly slots: readonly Slot[];
  readonly admission: Admission;
  readonly drafts: SlotDrafts;
  readonly stageCount: number;
  readonly contextSize: number;
  /** Rows in one micro-batch at most. */
  readonly microBatchSize: number;
}

/** One that is computed, and one to go on with: what comes later must not wait behind more. */
const MOST_AT_FIRST_STAGE = 2;

/** Decides what the next micro-batch holds: which slots' next tokens, and how much of which prompt. */
export class FlightPlanner {
  readonly #options: FlightPlannerOptions;
  readonly #slots: readonly Slot[];
  readonly #groups: GroupSizer;
  readonly #prefill: PrefillPolicy;
  #groupsUnderWay = 0;
  #promptsUnderWay = 0;
  /** Those with prompt rows that the first stage computes or has before it. */
  readonly #atFirstStage = new Set<Flight>();
  /** Prompts found no room beside a group: they come before the next one, or they would wait for as long as it runs. */
  #promptsAreDue = false;
  /** A shorter prompt went before the one that came first. */
  #oldestPassedOver = false;
  /** Texts to embed waited for the micro-batch that was sent last. */
  #textsAreDue = false;

  constructor(options: FlightPlannerOptions) {
    this.#options = options;
    this.#slots = options.slots;
    this.#groups = new GroupSizer(options.stageCount);
    this.#prefill = new PrefillPolicy(options.stageCount, options.microBatchSize);
  }

  launched(flight: Flight): void {
    const { decodeRows, promptRows } = flight;
    if (decodeRows > 0) this.#groupsUnderWay += 1;
    if (promptRows > 0) this.#promptsUnderWay += 1;
    if (promptRows > 0) this.#atFirstStage.add(flight);
  }

  leftFirstStage(flight: Flight): void {
    this.#atFirstStage.delete(flight);
  }

  /**
   * @param timings `null` when it failed
   * @param tokens that each of those who asked for samples got
   */
  landed(flight: Flight, timings: PipelineTimings | null, tokens: readonly number[]): void {
    const { decodeRows, promptRows } = flight;
    this.#atFirstStage.delete(flight);
    if (decodeRows > 0) this.#groupsUnderWay -= 1;
    if (promptRows > 0) this.#promptsUnderWay -= 1;
    if (timings !== null) this.#learn(flight, timings, tokens);
    for (const { slot } of flight.sampled) this.#options.drafts.prepare(slot, this.#load());
  }

  /** The next micro-batch, of what can go now; `null` when nothing can. */
  next(): Flight | null {
    const builder = new RingBatchBuilder(this.#options.microBatchSize);
    const slots = new Set<Slot>();
    const sampled: Sampled[] = [];
    const load = this.#load();
    const mayPrefill =
      this.#promptsUnderWay <= this.#options.stageCount && this.#atFirstStage.size < MOST_AT_FIRST_STAGE;
    if (mayPrefill) for (const slot of this.#options.admission.admit(builder)) slots.add(slot);
    const open = mayPrefill ? this.#slots.filter((slot) => slot.outcome === null) : [];
    const texts = this.#mayEmbed() ? open.filter((slot) => slot.textLeft > 0) : [];
    // Answers and texts take turns: neither waits for more than one micro-batch of the other.
    const turn = this.#textsAreDue && texts.length > 0 ? "texts" : "answers";
    const decodeRows = turn === "texts" ? 0 : this.#addAnswers(builder, open, load, slots, sampled);
    this.#textsAreDue = texts.length > 0 && builder.hasRows;
    const sent = builder.hasRows ? [] : this.#addTexts(builder, texts);
    for (const { slot } of sent) slots.add(slot);
    if (builder.isEmpty) return null;
    const batch = builder.build();
    const promptRows = batch.rowCount - decodeRows;
    const { copies } = builder;
    return { batch, slots: [...slots], sampled, texts: sent, copies, decodeRows, promptRows, load };
  }

  /** The next tokens of a group, and a chunk of a prompt where there is room; returns how many rows of the former. */
  #addAnswers(
    builder: RingBatchBuilder,
    open: readonly Slot[],
    load: RingLoad,
    slots: Set<Slot>,
    sampled: Sampled[],
  ): number {
    const prompts = open.filter((slot) => slot.promptLeft > 0);
    if (!this.#promptsAreDue || prompts.length === 0) {
      const group = this.#nextGroup().slice(0, builder.rowsLeft);
      // While somebody waits for a prompt to be computed, drafts would keep them waiting for what may be wrong.
      const drafts = this.#promptsWait() ? [] : this.#options.drafts.draftsFor(group, load, builder.rowsLeft);
      for (const [index, slot] of group.entries()) {
        this.#addNextToken(builder, slot, drafts[index] ?? [], slots, sampled);
      }
    }
    const decodeRows = this.#options.microBatchSize - builder.rowsLeft;
    this.#promptsAreDue = prompts.length > 0 && builder.rowsLeft === 0;
    this.#addPrompts(builder, prompts, slots, sampled);
    return decodeRows;
  }

  /** While others wait for their next token, one micro-batch of texts at most is before it. */
  #mayEmbed(): boolean {
    return !this.#othersDecode() || [...this.#atFirstStage].every(({ texts }) => texts.length === 0);
  }

  #othersDecode(): boolean {
    return this.#slots.some((slot) => slot.decoding);
  }

  /** As much of the texts as of a prompt that is as long as they are together. */
  #addTexts(builder: RingBatchBuilder, texts: readonly Slot[]): readonly SentText[] {
    if (texts.length === 0) return [];
    const rows = texts.reduce((sum, slot) => sum + slot.textLeft, 0);
    return addTexts(builder, texts, this.#prefill.chunk(rows, this.#othersDecode()));
  }

  #learn(
    { promptRows, batch, slots, sampled, texts, load }: Flight,
    timings: PipelineTimings,
    tokens: readonly number[],
  ): void {
    const { drafts } = this.#options;
    if (promptRows > 0) {
      this.#prefill.record(batch.rowCount, timings.compute);
      if (slots.length === 1 && texts.length === 0) drafts.promptLanded(batch.rowCount, timings);
    } else if (sampled.length > 0) {
      const overhead = timings.total - timings.compute - timings.queue;
      if (batch.rowCount === sampled.length) this.#groups.record(batch.rowCount, timings.compute, overhead);
      drafts.landed({ sampled, tokens, timings, load });
    }
  }

  #load(): RingLoad {
    const running = this.#running().length;
    return { running, groups: Math.max(1, Math.ceil(running / this.#groupSize(running))) };
  }

  #running(): readonly Slot[] {
    return this.#slots.filter((slot) => slot.decoding && !slot.paused);
  }

  #groupSize(running: number): number {
    return Math.min(this.#groups.choose(running), this.#options.microBatchSize);
  }

  #promptsWait(): boolean {
    const mayBegin = this.#options.admission.waiting > 0 && this.#slots.some((slot) => slot.idle);
    return mayBegin || this.#slots.some((slot) => slot.promptLeft > 0);
  }

  /**
   * The group of the slot that waited longest for its token to be computed, as far as it is ready; none while as many
   * groups as there shall be are under way: the next one to land is joined instead. Groups are runs of neighbours, in the
   * order of their sequences, because llama.cpp computes in one pass only rows whose sequences follow without a gap.
   */
  #nextGroup(): Slot[] {
    const running = this.#running();
    const size = this.#groupSize(running.length);
    if (this.#groupsUnderWay >= Math.ceil(running.length / size)) return [];
    const isReady = (slot: Slot): boolean => this.#options.drafts.isReady(slot);
    const oldest = greatest(running.filter(isReady), (slot) => -slot.readySince);
    if (oldest === null) return [];
    const first = Math.floor(running.indexOf(oldest) / size) * size;
    return running.slice(first, first + size).filter(isReady);
  }

  #addNextToken(
    builder: RingBatchBuilder,
    slot: Slot,
    draft: readonly number[],
    slots: Set<Slot>,
    sampled: Sampled[],
  ): void {
    const { job, nextToken, sequence, cached } = slot;
    if (job === null || nextToken === null || slot.outcome !== null) return;
    if (slot.stale) builder.addKvOperation({ op: "remove", sequence, from: cached.length, to: null });
    if (cached.length >= this.#options.contextSize) shiftContext(builder, slot, job.keepTokens);
    builder.addRow(sequence, cached.length, nextToken, sampleOf(job));
    cached.push(nextToken);
    if (draft.length > 0) builder.addDraft(sequence, cached.length, draft);
    slot.nextToken = null;
    slot.stale = draft.length > 0;
    slots.add(slot);
    sampled.push({ slot, job, draft });
  }

  /**
   * One chunk: in turn of the prompt with least left, so that a short one need not wait for a long one, and of the one
   * that came first, so that it is not passed over for ever. What room is left goes to the others, unless that would make
   * a short one wait for rows of a long one.
   */
  #addPrompts(builder: RingBatchBuilder, prompts: readonly Slot[], slots: Set<Slot>, sampled: Sampled[]): void {
    if (builder.rowsLeft === 0) return;
    const byLength = prompts.toSorted((a, b) => a.promptLeft - b.promptLeft || a.order - b.order);
    const oldest = greatest(prompts, (slot) => -slot.order);
    const first = this.#oldestPassedOver ? oldest : byLength[0];
    if (first?.job == null) return;
    this.#oldestPassedOver = first !== oldest;
    let room = Math.min(builder.rowsLeft, this.#prefill.chunk(first.job.promptTokens.length, this.#othersDecode()));
    for (const slot of [first, ...byLength.filter((other) => other !== first)]) {
      if (this.#oldestPassedOver && slot !== first && slot.promptLeft > room) return;
      room -= this.#addPromptRows(builder, slot, room, slots, sampled);
    }
  }

  /** Adds at most `room` rows of a prompt; returns how many. */
  #addPromptRows(builder: RingBatchBuilder, slot: Slot, room: number, slots: Set<Slot>, sampled: Sampled[]): number {
    const job = slot.job;
    if (job === null || room <= 0) return 0;
    const { contextSize } = this.#options;
    // Where an answer that goes on had been so long, its context was full here, too.
    if (slot.cached.length >= contextSize) slot.shifted += shiftContext(builder, slot, job.keepTokens);
    const begin = slot.promptSent;
    const rows = job.promptTokens.slice(
      begin,
      begin + Math.min(room, contextSize - slot.cached.length, alikeRows(slot)),
    );
    for (const [offset, token] of rows.entries()) {
      const last = begin + offset === job.promptTokens.length - 1;
      builder.addRow(slot.sequence, slot.cached.length, token, last ? sampleOf(job) : null);
      if (last) sampled.push({ slot, job, draft: [] });
      slot.cached.push(token);
    }
    slots.add(slot);
    return rows.length;
  }
}

/** How many rows of its prompt may be computed together. */
function alikeRows({ job, promptSent }: Slot): number {
  const begun = job?.begun ?? null;
  if (begun === null || !begun.alike) return Number.POSITIVE_INFINITY;
  return promptSent < begun.from ? begun.from - promptSent : 1;
}

function sampleOf(job: GenerationJob): Omit<SampleRequest, "row"> {
  return { sampler: job.sampler, logprobs: job.logprobs };
}

/** The first of those for which `measure` is largest. */
function greatest<Item>(items: readonly Item[], measure: (item: Item) => number): Item | null {
  const sizes = items.map(measure);
  return items[sizes.indexOf(Math.max(...sizes))] ?? null;
}
