import type { FoundRing } from "../../src/cluster/found-rings.js";
import type { PeerClient } from "../../src/cluster/membership.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";
import { ExoError } from "../../src/core/errors.js";
import type { RingDirectory } from "../../src/runtime/ring-choice.js";
import { ScriptedInference } from "../api/scripted-inference.js";

/** A node that answers as the script says. */
export class OtherNode extends ScriptedInference implements PeerClient {
  hello = unused;
  health = unused;
  gossip = unused;
  probeModel = unused;
  offerModel = unused;
  hashModel = unused;
  readModel = unused;
  loadStage = unused;
  unloadStage = unused;
  drain = unused;
  placeModel = unused;
  stopModel = unused;
  readTraces = unused;
  interrupt = (): void => {};
  close = (): void => {};
}

function unused(): never {
  throw new ExoError("internal", "A router does not ask that.");
}

/** A ready ring whose head is another node, or with `null` this one. */
export function ringOf(id: string, client: PeerClient | null, busySlots = 0, waitingRequests = 0): FoundRing {
  const empty = emptyRingRecord({ id, spec: "spec", replica: 0, proposedBy: id, pinned: false });
  return {
    ring: { ...empty, epoch: 1, model: "model", state: "ready", busySlots, waitingRequests },
    head: id,
    client,
    reachable: true,
  };
}

/** The rings of one model, which a test makes ready and takes away. */
export class RingShelf implements RingDirectory {
  #rings: readonly FoundRing[];
  readonly #listeners = new Set<() => void>();
  /** What `ensure` says where no ring is ready; `null`: it waits. */
  refusal: ExoError | null = null;

  constructor(rings: readonly FoundRing[]) {
    this.#rings = rings;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async ensure(_name: string, signal: AbortSignal): Promise<string> {
    while (!this.#rings.some(({ ring }) => ring.state === "ready")) {
      if (this.refusal !== null) throw this.refusal;
      if (signal.aborted) throw new ExoError("cancelled", "The model is no longer waited for.");
      await this.#change(signal);
    }
    return "model";
  }

  /** Resolves with the next change, or when the signal aborts. */
  async #change(signal: AbortSignal): Promise<void> {
    const changed = new AbortController();
    const unsubscribe = this.onChange(() => changed.abort());
    await aborted(AbortSignal.any([signal, changed.signal]));
    unsubscribe();
  }

  serving(): readonly FoundRing[] {
    return this.#rings;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(rings: readonly FoundRing[]): void {
    this.#rings = rings;
    for (const listener of [...this.#listeners]) listener();
  }

  /** A ring broke, for a reason. */
  broke(reason: string): void {
    this.set(this.#rings.map((found) => ({ ...found, ring: { ...found.ring, state: "failed" as const, reason } })));
  }

  /** All of them are loaded anew. */
  healed(): void {
    const again = ({ ring, ...found }: FoundRing): FoundRing => ({
      ...found,
      ring: { ...ring, epoch: ring.epoch + 1, state: "ready", reason: null },
    });
    this.set(this.#rings.map(again));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
