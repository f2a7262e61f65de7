import type { FoundRing } from "../cluster/found-rings.js";
import { ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import { pause } from "../core/waiting.js";
import type { RingSearch } from "./ring-search.js";

/** The rings of the cluster; `ModelManager`. */
export interface RingDirectory {
  /** Resolves when a ring of the model is ready, which it may have loaded; rejects when it is clear that none will be. */
  ensure(name: string, signal: AbortSignal): Promise<string>;
  serving(name: string): readonly FoundRing[];
  /** Calls back when rings may have changed. Returns the way to unsubscribe. */
  onChange(listener: () => void): () => void;
}

export interface RingChoiceOptions {
  readonly directory: RingDirectory;
  /** So long a model that was there is waited for when it has no ring. */
  readonly healTimeoutMs: number;
  /** Requests that may wait for a ring of one model. Those that a ring had begun to answer are let in beyond that. */
  readonly queueLimit: number;
  readonly clock: Clock;
}

/** Nobody waits for longer without having a look. */
const LONGEST_PAUSE_MS = 1_000;

/** Finds the ring that a request goes to, and lets requests wait for one. */
export class RingChoice {
  readonly #options: RingChoiceOptions;
  /** Requests of this node under way, by ring: heads tell of theirs only now and then. */
  readonly #underWay = new Map<string, number>();
  /** Requests that wait, by model. */
  readonly #waiting = new Map<string, number>();
  /** Models that were there: since when they have no ring, in milliseconds of the clock. */
  readonly #downSince = new Map<string, number>();
  #unsubscribe: (() => void) | null = null;
  readonly #over = new AbortController();
  #closed: ExoError | null = null;

  constructor(options: RingChoiceOptions) {
    this.#options = options;
  }

  /** The ready ring with least to do, this node's own among equals; waits for one that is loaded on demand, or heals. */
  async choose(search: RingSearch): Promise<FoundRing> {
    if (this.#closed !== null) throw this.#closed;
    const found = this.#best(search);
    if (found !== null) return found;
    this.#checkRoom(search);
    add(this.#waiting, search.model, 1);
    try {
      return await this.#wait(search);
    } finally {
      add(this.#waiting, search.model, -1);
    }
  }

  /** This node ends: nobody waits for a ring here any more. */
  close(reason: ExoError): void {
    this.#closed ??= reason;
    this.#over.abort();
  }

  /** A request goes to this ring. */
  began({ ring }: FoundRing): void {
    add(this.#underWay, ring.id, 1);
  }

  /** Returns whether others of this node are under way there. */
  ended({ ring }: FoundRing): boolean {
    add(this.#underWay, ring.id, -1);
    return this.#underWay.has(ring.id);
  }

  /** There is a ring that could be asked now and has not refused the request. */
  hasOther(search: RingSearch): boolean {
    return this.#ready(search.model).some(({ ring }) => !search.hasRefused(ring));
  }

  async #wait(search: RingSearch): Promise<FoundRing> {
    for (;;) {
      this.#noteDown(search);
      const failure = await this.#ensured(search);
      if (this.#closed !== null) throw this.#closed;
      if (search.signal.aborted) throw new ExoError("cancelled", "The model is no longer waited for.");
      const found = this.#best(search);
      if (found !== null) return found;
      if (failure !== null) this.#requireHealing(search, failure);
      const left = this.#left(search);
      if (left <= 0) throw this.#tooLate(search);
      await this.#changed(search, Math.min(left, this.#nextTry(search)));
    }
  }

  /** Has the directory look for a ring, no longer than the request may wait; returns why there is none. */
  async #ensured(search: RingSearch): Promise<ExoError | null> {
    const over = new AbortController();
    const left = this.#left(search);
    const timer = Number.isFinite(left) ? setTimeout(() => over.abort(), Math.max(0, left)) : undefined;
    try {
      await this.#options.directory.ensure(
        search.model,
        AbortSignal.any([search.signal, over.signal, this.#over.signal]),
      );
      return null;
    } catch (thrown) {
      return over.signal.aborted ? null : ExoError.from(thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A model that was there and is not: all that wait for it do so from the same time on. */
  #noteDown(search: RingSearch): void {
    const rings = this.#options.directory.serving(search.model).map(({ ring }) => ring);
    if (rings.some(({ state }) => state === "ready") || rings.every(({ epoch }) => epoch === 0)) return;
    const since = this.#downSince.get(search.model) ?? this.#options.clock.monotonic();
    this.#downSince.set(search.model, since);
    this.#unsubscribe ??= this.#options.directory.onChange(() => this.#forgetReady());
    search.waitsSince(since);
  }

  /** Models may come back, and be lost again, while nobody asks for them. */
  #forgetReady(): void {
    for (const model of this.#downSince.keys()) if (this.#isReady(model)) this.#downSince.delete(model);
    if (this.#downSince.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  #isReady(model: string): boolean {
    try {
      return this.#ready(model).length > 0;
    } catch {
      // The name has come to mean several models: what was down is forgotten.
      return true;
    }
  }

  /** Throws the failure unless the model was there and may come back. */
  #requireHealing(search: RingSearch, failure: ExoError): void {
    const { since, isLost } = search;
    const mayHeal = failure.code === "model_not_found" ? isLost : failure.retryable && since !== null;
    if (!mayHeal) throw failure;
    search.note(failure);
  }

  /** Milliseconds that the request may still wait. */
  #left({ since, deadline }: RingSearch): number {
    const until = since === null ? Number.POSITIVE_INFINITY : since + this.#options.healTimeoutMs;
    return Math.min(until, deadline) - this.#options.clock.monotonic();
  }

  #tooLate({ model, deadline, reason }: RingSearch): ExoError {
    const why = this.#missing(model) ?? reason?.message ?? "none is ready.";
    if (deadline <= this.#options.clock.monotonic()) {
      const message = `The time that the request allowed passed while no ring of ${model} was there: ${why}`;
      return new ExoError("deadline_exceeded", message);
    }
    const seconds = this.#options.healTimeoutMs / 1000;
    return new ExoError("not_ready", `No ring of ${model} came back within ${seconds} s (--heal-timeout): ${why}`);
  }

  /** What the rings of the model say they wait for. */
  #missing(model: string): string | null {
    const rings = this.#options.directory.serving(model).map(({ ring }) => ring);
    return rings.find(({ state, reason }) => state !== "ready" && reason !== null)?.reason ?? null;
  }

  #checkRoom({ model, isBegun }: RingSearch): void {
    const { queueLimit } = this.#options;
    const waiting = this.#waiting.get(model) ?? 0;
    if (isBegun || waiting < queueLimit) return;
    const message = `${model} is not ready, and as many requests wait for it already as may (${queueLimit}); try again later.`;
    throw new ExoError("overloaded", message);
  }

  /** Milliseconds until a ring that refused may be asked again. */
  #nextTry(search: RingSearch): number {
    const now = this.#options.clock.monotonic();
    return Math.min(LONGEST_PAUSE_MS, ...this.#ready(search.model).map(({ ring }) => search.pauseOf(ring, now)));
  }

  async #changed({ signal }: RingSearch, milliseconds: number): Promise<void> {
    const changed = new AbortController();
    const unsubscribe = this.#options.directory.onChange(() => changed.abort());
    await pause(milliseconds, AbortSignal.any([signal, changed.signal, this.#over.signal]));
    unsubscribe();
  }

  #best(search: RingSearch): FoundRing | null {
    const ready = this.#ready(search.model);
    const now = this.#options.clock.monotonic();
    const [best] = ready
      .filter(({ ring }) => search.pauseOf(ring, now) === 0)
      .toSorted(
        (a, b) =>
          Number(search.hasRefused(a.ring)) - Number(search.hasRefused(b.ring)) ||
          this.#loadOf(a) - this.#loadOf(b) ||
          Number(a.client !== null) - Number(b.client !== null),
      );
    return best ?? null;
  }

  #ready(model: string): readonly FoundRing[] {
    return this.#options.directory.serving(model).filter(({ ring }) => ring.state === "ready");
  }

  #loadOf({ ring }: FoundRing): number {
    return Math.max(ring.busySlots + ring.waitingRequests, this.#underWay.get(ring.id) ?? 0);
  }
}

/** A count that is 0 has no place in the map. */
function add(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
