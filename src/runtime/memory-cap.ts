import { formatByteSize } from "../config/byte-size.js";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";

/**
 * What the owner of this node offers (`--memory`), for all that it holds: stages for heads elsewhere, its own heads, and
 * the models that draft for these. Bytes are claimed as the planner counts them, so that what it placed is not refused,
 * and from the end of loading on as they are.
 */
export class MemoryCap {
  readonly #cap: number | null;
  readonly #logger: Logger;
  readonly #claims = new Set<Claim>();

  /** @param cap most bytes; `null`: any */
  constructor(cap: number | null, logger: Logger) {
    this.#cap = cap;
    this.#logger = logger;
  }

  /** Bytes of what is loaded, being loaded, and not yet given back. */
  get taken(): number {
    return [...this.#claims].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Speaks for memory before anything is loaded into it; waits for what is being given back, if that makes the room.
   * Rejects with `out_of_memory`, naming both numbers.
   *
   * @param what as the beginning of a sentence
   */
  async claim(bytes: number, what: string, signal?: AbortSignal): Promise<MemoryClaim> {
    while (!this.#hasRoom(bytes)) {
      const leaving = [...this.#claims].flatMap(({ leaves }) => (leaves === null ? [] : [leaves]));
      if (leaving.length === 0) throw this.#refusal(bytes, what);
      await Promise.race(leaving);
      if (signal?.aborted) throw new ExoError("cancelled", "Loading was cancelled.");
    }
    return this.#add(bytes, what);
  }

  /** Takes over part of what another claim spoke for; of no bytes yet. */
  partOf(what: string): MemoryClaim {
    return this.#add(0, what);
  }

  #add(bytes: number, what: string): Claim {
    const claim = new Claim(bytes, {
      changed: () => this.#warnIfAbove(what),
      gone: () => this.#claims.delete(claim),
    });
    this.#claims.add(claim);
    return claim;
  }

  #hasRoom(bytes: number): boolean {
    return this.#cap === null || this.taken + bytes <= this.#cap;
  }

  #refusal(bytes: number, what: string): ExoError {
    const cap = this.#cap ?? 0;
    const rest = formatByteSize(Math.max(0, cap - this.taken));
    return new ExoError(
      "out_of_memory",
      `${what} needs ${formatByteSize(bytes)}, and of the ${formatByteSize(cap)} that this node offers (--memory) ` +
        `${rest} are free. Raise --memory there, unload another model, give the node fewer layers, or lower --ctx or --slots.`,
    );
  }

  /** The planner's count may be a few percent too low; what is loaded stays, and counts from now on. */
  #warnIfAbove(what: string): void {
    const { taken } = this;
    if (this.#cap === null || taken <= this.#cap) return;
    this.#logger.warn(
      { taken, offered: this.#cap },
      `${what} took more than was planned: the node holds ${formatByteSize(taken)} and offers ${formatByteSize(this.#cap)} (--memory)`,
    );
  }
}

/** Memory that is spoken for. */
export interface MemoryClaim {
  /** That it speaks for. */
  readonly bytes: number;
  /** What was loaded takes so much. */
  became(bytes: number): void;
  /** Nothing was loaded, or it is gone. Idempotent. */
  release(): void;
  /** It is free when this settles; until then it counts, and whoever needs it waits. */
  releaseAfter(closed: Promise<unknown>): void;
}

class Claim implements MemoryClaim {
  bytes: number;
  leaves: Promise<void> | null = null;
  readonly #listener: { changed(): void; gone(): void };

  constructor(bytes: number, listener: { changed(): void; gone(): void }) {
    this.bytes = bytes;
    this.#listener = listener;
  }

  became(bytes: number): void {
    this.bytes = bytes;
    this.#listener.changed();
  }

  release(): void {
    this.#listener.gone();
  }

  releaseAfter(closed: Promise<unknown>): void {
    const gone = (): void => this.release();
    this.leaves = closed.then(gone, gone);
  }
}
