import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { LEAST_GAIN, LEAST_GAIN_BY_MEASURES } from "../planning/re-plan.js";
import type { LoadedHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { PlaceableModel } from "./model-source.js";
import type { PlacedModel, Placement } from "./placed-model.js";
import type { ReplanQuestion } from "./replan-rule.js";
import type { RingPlanner } from "./ring-planner.js";
import type { UnfitNodes } from "./unfit-nodes.js";

export interface RingReplanningOptions {
  readonly selfId: string;
  readonly membership: Pick<MemberView, "alive">;
  readonly planner: RingPlanner;
  readonly unfit: UnfitNodes;
  /** Why the other placement is worth loading, in a sentence; `null`: it is not. */
  readonly worthReplacing: (question: ReplanQuestion) => string | null;
  /** New nodes have to stay for so long before a ring is placed anew for them. */
  readonly replanAfterMs: number;
  /** After so long a ring is judged again by what is measured then; twice as long after each time. */
  readonly remeasureAfterMs: number;
  /** Nobody may have used the ring for so long. */
  readonly idleMomentMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Every placing of a ring doubles the wait before the next, so that a node that comes and goes does not keep it busy. */
const MOST_DOUBLINGS = 7;

/** The nodes that have come since a ring was planned. */
interface Newcomers {
  /** Their ids, as one text. */
  readonly ids: string;
  readonly since: number;
  readonly judged: boolean;
}

/** How often a placement was judged by newer measurements, and when last. */
interface Looks {
  readonly placement: Placement;
  readonly count: number;
  readonly since: number;
}

/**
 * Places rings that work anew when they would be so much better that it is worth the load: with nodes that have come, and
 * by what is measured now, for a ring may have been planned before anything was, or by measurements that were disturbed.
 */
export class RingReplanning {
  readonly #options: RingReplanningOptions;
  readonly #newcomers = new WeakMap<object, Newcomers>();
  readonly #looks = new WeakMap<object, Looks>();

  constructor(options: RingReplanningOptions) {
    this.#options = options;
  }

  /** Called now and then for each ring whose head this node is. */
  check(placed: PlacedModel<LoadedHead>): void {
    const { model, placement, request } = placed;
    const { state, idleSeconds } = placed.record();
    if (state !== "ready" || model === null || placement === null) return;
    if (request.layers !== null || request.nodes !== null) return;
    const newcomers = this.#newcomersOf(placed, model.spec, placement);
    const looks = this.#looksAt(placed, placement);
    const forNewcomers = this.#isDueForNewcomers(placed, newcomers);
    if (!forNewcomers && !this.#isDueForMeasures(placed, looks)) return;
    if (idleSeconds === null || idleSeconds * 1000 < this.#options.idleMomentMs) return;
    this.#newcomers.set(placed, { ...newcomers, judged: true });
    this.#looks.set(placed, { ...looks, count: looks.count + 1, since: this.#options.clock.monotonic() });
    void this.#judge(placed, model, placement, forNewcomers ? LEAST_GAIN : LEAST_GAIN_BY_MEASURES);
  }

  #isDueForNewcomers(placed: PlacedModel<LoadedHead>, { ids, since, judged }: Newcomers): boolean {
    return ids !== "" && !judged && this.#waited(since, this.#options.replanAfterMs, placed.record().epoch - 1);
  }

  #isDueForMeasures(placed: PlacedModel<LoadedHead>, { count, since }: Looks): boolean {
    const { membership, remeasureAfterMs } = this.#options;
    if (placed.request.strategy === "memory-weighted" || membership.alive().length === 0) return false;
    return this.#waited(since, remeasureAfterMs, placed.record().epoch - 1 + count);
  }

  #waited(since: number, milliseconds: number, doublings: number): boolean {
    return this.#options.clock.monotonic() - since >= milliseconds * 2 ** Math.min(doublings, MOST_DOUBLINGS);
  }

  /** Nodes that the plan says nothing of, or that were left out of it and may be able to load their stage now. */
  #newcomersOf(placed: object, spec: string, { plan }: Placement): Newcomers {
    const { selfId, membership, unfit, clock } = this.#options;
    const records = membership.alive().map(({ record }) => record);
    const planned = [...plan.stages, ...plan.unused.filter(({ isLeftOut }) => isLeftOut !== true)];
    const known = new Set([...planned, ...unfit.among(spec, records)].map(({ nodeId }) => nodeId));
    const ids = [selfId, ...membership.alive().map(({ id }) => id)]
      .filter((id) => !known.has(id))
      .sort()
      .join(" ");
    const before = this.#newcomers.get(placed);
    if (before?.ids === ids) return before;
    const newcomers = { ids, since: clock.monotonic(), judged: false };
    this.#newcomers.set(placed, newcomers);
    return newcomers;
  }

  #looksAt(placed: object, placement: Placement): Looks {
    const before = this.#looks.get(placed);
    if (before?.placement === placement) return before;
    const looks = { placement, count: 0, since: this.#options.clock.monotonic() };
    this.#looks.set(placed, looks);
    return looks;
  }

  async #judge(
    placed: PlacedModel<LoadedHead>,
    model: PlaceableModel,
    placement: Placement,
    leastGain: number,
  ): Promise<void> {
    const { planner, worthReplacing, logger } = this.#options;
    try {
      const { request } = placed;
      const { now, next } = await planner.placeAgain(placed.id, model, request, placement);
      const nodes = await planner.records();
      const reason = worthReplacing({ model, request, now, next, nodes, leastGain });
      if (reason === null || placed.placement !== placement) return;
      await placed.placeAgain(reason);
    } catch (thrown) {
      // The ring works as it is.
      logger.debug({ model: model.id, error: ExoError.from(thrown).message }, "no other placement was found");
    }
  }
}
