import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { DrainedRings } from "./drained-rings.js";
import type { FoundRing, FoundRings } from "./found-rings.js";
import type { LoadedHead } from "./head-port.js";
import type { ModelRequest } from "./model-request.js";
import type { OwnRings } from "./own-rings.js";
import { isFor, type PinnedModels } from "./pinned-models.js";
import type { PlacedModel } from "./placed-model.js";
import { sameRing, winnerOf } from "./ring-contest.js";
import type { RingReplanning } from "./ring-replanning.js";
import type { RingSpares } from "./ring-spares.js";

export interface RingUpkeepOptions<Head extends LoadedHead> {
  readonly own: OwnRings<Head>;
  readonly found: FoundRings;
  readonly pins: PinnedModels;
  readonly replanning: RingReplanning;
  readonly drained: DrainedRings;
  readonly spares: RingSpares;
  /** Asks the head of a ring to keep it loaded. */
  readonly pinThere: (request: ModelRequest, found: FoundRing) => void;
  readonly selfId: string;
  /** A model that could not be loaded says so for this long, then it may be asked for again. */
  readonly failedMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** For so long a ring that broke tries to come back though nobody may need it. */
const MENDING_MS = 60_000;

/** What is done about rings now and then, without anybody asking. */
export class RingUpkeep<Head extends LoadedHead> {
  readonly #options: RingUpkeepOptions<Head>;
  readonly #downSince = new WeakMap<PlacedModel<Head>, number>();

  constructor(options: RingUpkeepOptions<Head>) {
    this.#options = options;
  }

  check(): void {
    const { own, replanning, drained, spares } = this.#options;
    for (const placed of own.list()) {
      if (placed.record().draining) continue;
      if (this.#loses(placed) || this.#isUnused(placed) || this.#isGivenUp(placed)) continue;
      if (drained.check(placed)) continue;
      replanning.check(placed);
      spares.check(placed);
    }
    this.#keepPins();
  }

  /** Where several nodes have a ring of the same model, one of them stays. */
  #loses(placed: PlacedModel<Head>): boolean {
    const { found, own, logger } = this.#options;
    const record = placed.record();
    const proposals = found.all().map(({ ring, head }) => ({ ...ring, head }));
    const winner = winnerOf(proposals.filter((proposal) => sameRing(proposal, record)));
    if (winner === null || winner.id === placed.id) return false;
    logger.info({ model: record.model, ring: placed.id, head: winner.head }, "another node's ring of this model stays");
    void own.standDown(placed, winner);
    return true;
  }

  #isUnused(placed: PlacedModel<Head>): boolean {
    const { pinned, idleSeconds, model } = placed.record();
    const { keepAliveSeconds } = placed.request;
    if (pinned || keepAliveSeconds === null || idleSeconds === null || idleSeconds < keepAliveSeconds) return false;
    this.#options.logger.info({ model, ring: placed.id }, "nobody asked for the model any more: it is unloaded");
    void this.#options.own.remove(placed, new ExoError("not_ready", "The model was unloaded: nobody had used it."));
    return true;
  }

  /** What cannot be mended is loaded anew when it is asked for again. One that is pinned goes on trying, or saying why not. */
  #isGivenUp(placed: PlacedModel<Head>): boolean {
    const { clock, failedMs, own } = this.#options;
    if (placed.head !== null) this.#downSince.delete(placed);
    if (placed.record().pinned || !(placed.failure !== null || placed.isDown)) return false;
    const now = clock.monotonic();
    const since = this.#downSince.get(placed) ?? now;
    this.#downSince.set(placed, since);
    if (now - since < (placed.failure === null ? MENDING_MS : failedMs)) return false;
    void own.remove(placed, placed.failure ?? new ExoError("not_ready", "The ring broke, and could not be mended."));
    return true;
  }

  /** What is to be kept loaded and has no ring, here or elsewhere, gets one. */
  #keepPins(): void {
    const { found, pins, own, pinThere, selfId } = this.#options;
    const rings = found.all();
    for (const request of pins.list()) {
      // Another node may be able to do what one could not.
      const ring = rings.find(
        (one) => isFor(request, one.ring) && !one.ring.draining && (!one.ring.gaveUp || one.head === selfId),
      );
      if (ring === undefined && own.hasRoom) own.propose(request);
      if (ring === undefined) continue;
      if (!ring.ring.pinned) pinThere(request, ring);
    }
  }
}
