import { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import { commonLength } from "./cached-tokens.js";
import { ClientTurns, clientOf, greediest } from "./client-turns.js";
import type { RingBatchBuilder } from "./micro-batch.js";
import type { PrefixIndex } from "./prefix-index.js";
import { type GenerationJob, isBegun, isEmbedding, type Job, type Slot } from "./slot.js";
import { chooseSlot, type SlotChoice } from "./slot-choice.js";
import { Turnover } from "./turnover.js";

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
  readonly clock: Clock;
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
  readonly #turns = new ClientTurns();
  readonly #turnover: Turnover;
  #admitted = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#turnover = new Turnover(options.clock);
    this.#copyCost = Math.max(LEAST_COPY_COST, Math.ceil(options.contextSize * COPY_COST));
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Throws `overloaded` when the queue is full, unless another client has so much in it that this one may go first. */
  checkRoom(client: string): void {
    if (!this.#isFull()) return;
    const waiting = this.#toBegin().map(({ job }) => job);
    const own = waiting.filter((job) => clientOf(job) === client).length;
    const { count } = greediest(waiting);
    if (count <= own + 1) throw this.#overloaded(own === 0);
  }

  /** Of a full queue, the newest job of whoever has most in it is taken out; `null`: there is room. */
  makeRoom(): { readonly job: Job; readonly error: ExoError } | null {
    if (!this.#isFull()) return null;
    const { job } = greediest(this.#toBegin().map((waiting) => waiting.job));
    if (job === null) return null;
    this.withdraw(job);
    return { job, error: this.#overloaded(false) };
  }

  #isFull(): boolean {
    const { slots, queueLimit } = this.#options;
    return this.#waiting.length - slots.filter((slot) => slot.idle).length >= queueLimit;
  }

  #overloaded(isFirst: boolean): ExoError {
    const { slots, queueLimit } = this.#options;
    const retryAfterSeconds = this.#turnover.turnAway(isFirst);
    return new ExoError(
      "overloaded",
      `All ${slots.length} slots are taken, and as many requests wait already as may (${queueLimit}); try again later.`,
      { retryAfterSeconds },
    );
  }

  /** Readers of an answer that was begun elsewhere have waited already: it comes before those that are to begin. */
  add(job: Job): void {
    if (this.#waiting.length === 0 && this.#options.slots.some(({ idle }) => idle)) this.#turnover.idle();
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
   * Gives waiting jobs idle slots, to clients in turn and to each in order of arrival, and adds the KV operations that
   * make the slots ready for them; returns those slots. Must come before rows are added: every stage applies a
   * micro-batch's KV operations first.
   */
  admit(builder: RingBatchBuilder): readonly Slot[] {
    const taken: Slot[] = [];
    const isIdle = (slot: Slot): boolean => slot.idle;
    if (!this.#options.slots.some(isIdle)) return taken;
    for (const waiting of this.#inTurn()) {
      if (!this.#options.slots.some(isIdle)) break;
      if (this.#waitsForLeader(waiting)) continue;
      const slot = this.#give(waiting.job, builder);
      if (slot === null) break;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      this.#turns.served(waiting.job);
      this.#turnover.admitted();
      taken.push(slot);
    }
    return taken;
  }

  /** What was begun elsewhere first, the others by their clients' turns. */
  *#inTurn(): Generator<Waiting, void> {
    yield* this.#waiting.filter(({ job }) => isBegun(job));
    yield* this.#turns.order(this.#toBegin(), this.#running());
  }

  #toBegin(): Waiting[] {
    return this.#waiting.filter(({ job }) => !isBegun(job));
  }

  #running(): readonly Job[] {
    return this.#options.slots.flatMap(({ job, text }) => job ?? text ?? []);
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
