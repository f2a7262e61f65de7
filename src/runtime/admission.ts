import { ExoError } from "../core/errors.js";
import type { RingBatchBuilder } from "./micro-batch.js";
import type { GenerationJob, Slot } from "./slot.js";

export interface AdmissionOptions {
  readonly slots: readonly Slot[];
  /** Jobs that may wait for a slot. */
  readonly queueLimit: number;
  /** Part of a sequence can be forgotten (not so for recurrent state): needed to reuse a prefix. */
  readonly canTrim: boolean;
}

/** Least part of a prompt that must be cached in a slot for it to be preferred. */
const WORTHWHILE_PREFIX = 0.25;

/** The queue of jobs before the slots, and which slot each of them gets. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting: GenerationJob[] = [];
  #admitted = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
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
      `All ${slots.length} slots are busy and ${this.#waiting.length} requests wait already; try again later.`,
    );
  }

  add(job: GenerationJob): void {
    this.#waiting.push(job);
  }

  /** Takes a job out of the queue; `false` when it is not there. */
  withdraw(job: GenerationJob): boolean {
    const at = this.#waiting.indexOf(job);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** Takes every job out of the queue. */
  clear(): readonly GenerationJob[] {
    return this.#waiting.splice(0);
  }

  /** Gives waiting jobs the idle slots that hold most of their prompt already; returns those slots. */
  admit(builder: RingBatchBuilder): readonly Slot[] {
    const taken: Slot[] = [];
    for (;;) {
      const job = this.#waiting[0];
      const slot = job === undefined ? null : this.#bestIdleSlot(job);
      if (job === undefined || slot === null) return taken;
      this.#waiting.shift();
      const reused = this.#reusable(slot, job);
      builder.addKvOperation({ op: "remove", sequence: slot.sequence, from: reused, to: null });
      slot.cached.length = reused;
      slot.job = job;
      slot.order = this.#admitted++;
      taken.push(slot);
      job.onStarted(reused);
    }
  }

  /** The idle slot that saves most, unless that is little: then the one longest unused, so that long prefixes survive. */
  #bestIdleSlot(job: GenerationJob): Slot | null {
    const idle = this.#options.slots.filter((slot) => slot.idle);
    const saving = greatest(idle, (slot) => this.#reusable(slot, job));
    const saved = saving === null ? 0 : this.#reusable(saving, job);
    if (saved > 0 && saved >= job.promptTokens.length * WORTHWHILE_PREFIX) return saving;
    return greatest(idle, (slot) => -slot.lastUsed);
  }

  #reusable(slot: Slot, job: GenerationJob): number {
    return this.#options.canTrim && job.reusePrefix ? slot.reusablePrefix(job.promptTokens) : 0;
  }
}

/** The first of those for which `measure` is largest. */
export function greatest<Item>(items: readonly Item[], measure: (item: Item) => number): Item | null {
  const sizes = items.map(measure);
  return items[sizes.indexOf(Math.max(...sizes))] ?? null;
}
