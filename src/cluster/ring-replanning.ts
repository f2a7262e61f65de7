import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import type { LoadedHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { PlaceableModel } from "./model-source.js";
import type { PlacedModel, Placement } from "./placed-model.js";
import type { ReplanQuestion } from "./replan-rule.js";
import type { RingPlanner } from "./ring-planner.js";

export interface RingReplanningOptions {
  readonly selfId: string;
  readonly membership: Pick<MemberView, "alive">;
  readonly planner: RingPlanner;
  /** Why the other placement is worth loading, in a sentence; `null`: it is not. */
  readonly worthReplacing: (question: ReplanQuestion) => string | null;
  /** New nodes have to stay for so long before a ring is placed anew for them. */
  readonly replanAfterMs: number;
  /** Nobody may have used the ring for so long. */
  readonly idleMomentMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Every placing of a ring doubles the wait before the next, so that a node that comes and goes does not keep it busy. */
const MOST_DOUBLINGS = 7;

interface Watched {
  /** The nodes that have come since the ring was planned, as one text. */
  readonly newcomers: string;
  readonly since: number;
  readonly judged: boolean;
}

/** Places rings that work anew when nodes have come with which they would be so much better that it is worth the load. */
export class RingReplanning {
  readonly #options: RingReplanningOptions;
  readonly #watched = new WeakMap<object, Watched>();

  constructor(options: RingReplanningOptions) {
    this.#options = options;
  }

  /** Called now and then for each ring whose head this node is. */
  check(placed: PlacedModel<LoadedHead>): void {
    const { model, placement, request } = placed;
    const { state, epoch, idleSeconds } = placed.record();
    if (state !== "ready" || model === null || placement === null) return;
    if (request.layers !== null || request.nodes !== null) return;
    const newcomers = this.#newcomers(placement);
    const watched = this.#watch(placed, newcomers);
    if (newcomers === "" || watched.judged) return;
    const wait = this.#options.replanAfterMs * 2 ** Math.min(epoch - 1, MOST_DOUBLINGS);
    if (this.#options.clock.monotonic() - watched.since < wait) return;
    if (idleSeconds === null || idleSeconds * 1000 < this.#options.idleMomentMs) return;
    this.#watched.set(placed, { ...watched, judged: true });
    void this.#judge(placed, model, placement);
  }

  /** Nodes that the plan says nothing of. */
  #newcomers({ plan }: Placement): string {
    const { selfId, membership } = this.#options;
    const known = new Set([...plan.stages, ...plan.unused].map(({ nodeId }) => nodeId));
    return [selfId, ...membership.alive().map(({ id }) => id)]
      .filter((id) => !known.has(id))
      .sort()
      .join(" ");
  }

  #watch(placed: object, newcomers: string): Watched {
    const before = this.#watched.get(placed);
    if (before?.newcomers === newcomers) return before;
    const watched = { newcomers, since: this.#options.clock.monotonic(), judged: false };
    this.#watched.set(placed, watched);
    return watched;
  }

  async #judge(placed: PlacedModel<LoadedHead>, model: PlaceableModel, now: Placement): Promise<void> {
    const { planner, worthReplacing, logger } = this.#options;
    try {
      const { request } = placed;
      const then = await planner.placeAgain(placed.id, model, request);
      const nodes = await planner.records();
      const reason = worthReplacing({ model, request, now, then, nodes });
      if (reason === null || placed.placement !== now) return;
      logger.info({ model: model.id, ring: placed.id }, reason);
      await placed.placeAgain(reason);
    } catch (thrown) {
      // The ring works as it is.
      logger.debug({ model: model.id, error: ExoError.from(thrown).message }, "no other placement was found");
    }
  }
}
