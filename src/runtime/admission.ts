import { ExoError } from "../core/errors.js";
import { commonLength } from "./cached-tokens.js";
import type { RingBatchBuilder } from "./micro-batch.js";
import type { PrefixIndex } from "./prefix-index.js";
import { type GenerationJob, isBegun, isEmbedding, type Job, type Slot } from "./slot.js";
import { chooseSlot, type SlotChoice } from "./slot-choice.js";

export interface AdmissionOptions {
  readonly slots: readonly Slot[];
  /** Of the slots' tokens. */
  readonly prefixes: PrefixIndex;
  /** Jobs that may wait for a slot. */
  readonly queueLimit: number;
  /** Tokens of KV cache per sequence. */
  readonly contextSize: number;
  /** Part of a sequence can be forgotten (not so for recurrent state). */
  readonly canTrim: boolean;
}

interface Waiting {
  readonly job: Job;
  leader: Leader | null;
}

/** A prompt under way that begins as a waiting one does: once so many of its tokens are computed, they can be copied. */
interface Leader {
  readonly slot: Slot;
  readonly job: GenerationJob;
  readonly tokens: number;
}

/**
 * A copy moves the whole cache of a sequence, used or not, and keeps the stages for as long as computing this part of its
 * tokens, or less: for a context of 8192 tokens about as long as 1 to 2 tokens of TinyLlama on one thread.
 */
const COPY_COST = 1 / 1024;
/** In tokens; for less it is not worth keeping others waiting. */
const LEAST_COPY_COST = 16;

/** The queue of jobs before the slots, and which slot each of them gets, with which tokens of others. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #copyCost: number;
  readonly #waiting: Waiting[] = [];
  #admitted = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#copyCost = Math.max(LEAST_COPY_COST, Math.ceil(options.contextSize * COPY_COST));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Throws `overloaded` when the queue is full. */
  checkRoom(): void {
    const { slots, queueLimit } = this.#options;
    const idle = slots.filter((slot) => slot.idle).length;
    if (this.#waiting.length - idle < queueLimit) return;
    throw new ExoError(
      "overloaded",
      `All ${slots.length} slots are taken, and as many requests wait already as may (${queueLimit}); try again later.`,
    );
  }

  /** Readers of an answer that was begun elsewhere have waited already: it comes before those that are to begin. */
  add(job: Job): void {
    const first = isBegun(job) ? this.#waiting.findIndex((waiting) => !isBegun(waiting.job)) : -1;
    this.#waiting.splice(first < 0 ? this.#waiting.length : first, 0, { job, leader: null });
  }

  /** Takes a job out of the queue; `false` when it is not there. */
  withdraw(job: Job): boolean {
    const at = this.#waiting.findIndex((waiting) => waiting.job === job);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** Takes every job out of the queue. */
  clear(): readonly Job[] {
    return this.#waiting.splice(0).map(({ job }) => job);
  }

  /**
   * Gives waiting jobs idle slots, in order of arrival, and adds the KV operations that make the slots ready for them;
   * returns those slots. Must come before rows are added: every stage applies a micro-batch's KV operations first.
   */
  admit(builder: RingBatchBuilder): readonly Slot[] {
    const taken: Slot[] = [];
    const isIdle = (slot: Slot): boolean => slot.idle;
    if (!this.#options.slots.some(isIdle)) return taken;
    for (const waiting of [...this.#waiting]) {
      if (!this.#options.slots.some(isIdle)) break;
      if (this.#waitsForLeader(waiting)) continue;
      const slot = this.#give(waiting.job, builder);
      if (slot === null) break;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      taken.push(slot);
    }
    return taken;
  }

  /** Notes that a slot's tokens were of use to somebody until now. */
  touch(slot: Slot): void {
    slot.lastUsed = this.#admitted;
  }

  /**
   * Several requests with one long beginning often come together. The first of them computes it; the others do better to
   * wait for that, once, than to compute it beside it.
   */
  #waitsForLeader(waiting: Waiting): boolean {
    if (waiting.leader !== null && !goesOn(waiting.leader)) waiting.leader = null;
    waiting.leader ??= this.#findLeader(waiting.job);
    const { leader } = waiting;
    return leader !== null && leader.slot.cached.length < leader.tokens;
  }

  #findLeader(job: Job): Leader | null {
    const { slots, prefixes, canTrim } = this.#options;
    if (!canTrim || !job.reusePrefix) return null;
    let leader: Leader | null = null;
    let most = this.#copyCost + Math.max(0, ...prefixes.commonPrefixes(job.promptTokens.slice(0, -1)).values());
    for (const slot of slots) {
      if (slot.job === null || slot.outcome !== null || slot.promptLeft === 0) continue;
      // What its stages hold will not be the beginning of what it was given.
      if (slot.job.promptTokens.length > this.#options.contextSize) continue;
      const tokens = commonLength(slot.job.promptTokens, job.promptTokens);
      if (tokens <= most) continue;
      leader = { slot, job: slot.job, tokens };
      most = tokens;
    }
    return leader;
  }

  #give(job: Job, builder: RingBatchBuilder): Slot | null {
    const choice = chooseSlot(this.#views(job), { canTrim: this.#options.canTrim, copyCost: this.#copyCost });
    const slot = this.#options.slots.find(({ sequence }) => sequence === choice?.sequence);
    if (choice === null || slot === undefined) return null;
    const reused = this.#prepare(slot, choice, job, builder);
    if (isEmbedding(job)) slot.text = job;
    else slot.job = job;
    slot.order = this.#admitted++;
    job.onStarted(reused);
    return slot;
  }

  #views(job: Job) {
    const { slots, prefixes } = this.#options;
    // The last token of a prompt is always computed: the first of the answer is chosen from what that gives.
    const common = job.reusePrefix ? prefixes.commonPrefixes(job.promptTokens.slice(0, -1)) : new Map();
    return slots.map((slot) => ({
      sequence: slot.sequence,
      idle: slot.idle,
      cached: slot.cached.reusable,
      common: common.get(slot.cached) ?? 0,
      age: Math.max(1, this.#admitted - slot.lastUsed),
    }));
  }

  /** Leaves in the slot's sequence what of the prompt is cached; returns how much that is. */
  #prepare(slot: Slot, choice: SlotChoice, job: Job, builder: RingBatchBuilder): number {
    const { sequence } = slot;
    const source = this.#options.slots.find((other) => other.sequence === choice.copyFrom) ?? slot;
    // Equal hashes are no proof.
    const equal = source.cached.commonPrefix(job.promptTokens) >= choice.reused;
    const reused = equal ? choice.reused : 0;
    if (source !== slot && reused > 0) {
      const to = this.#options.canTrim ? reused : null;
      builder.addKvOperation({ op: "copy", sequence: source.sequence, destination: sequence, from: 0, to });
      slot.cached.become(source.cached, reused);
      this.touch(source);
    } else if (reused < slot.cached.length || reused === 0 || slot.stale) {
      builder.addKvOperation({ op: "remove", sequence, from: reused, to: null });
      slot.cached.truncate(reused);
    }
    slot.stale = false;
    return reused;
  }
}

function goesOn({ slot, job }: Leader): boolean {
  return slot.job === job && slot.outcome === null;
}
