import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { letGo } from "./draining.js";
import type { LoadedHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { NodeRecord } from "./node-record.js";
import type { PlacedModel } from "./placed-model.js";
import type { RingPlanner } from "./ring-planner.js";

export interface DrainedRingsOptions {
  readonly ownRecord: () => NodeRecord;
  readonly membership: Pick<MemberView, "alive">;
  readonly planner: Pick<RingPlanner, "place">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A ring that has nowhere else to go is looked at again after so long. */
const AGAIN_MS = 5_000;

const never = new AbortController().signal;

/** Places rings that have a stage on a node that is being drained without it, where they fit. */
export class DrainedRings {
  readonly #options: DrainedRingsOptions;
  readonly #triedAt = new WeakMap<object, number>();

  constructor(options: DrainedRingsOptions) {
    this.#options = options;
  }

  /** Called now and then for each ring whose head this node is; says whether it has to move. */
  check(placed: PlacedModel<LoadedHead>): boolean {
    const { placement } = placed;
    if (placed.record().state !== "ready" || placement === null) return false;
    const names = this.#draining()
      .filter(({ id }) => placement.plan.stages.some(({ nodeId }) => nodeId === id))
      .map(({ name }) => name);
    if (names.length === 0) return false;
    const now = this.#options.clock.monotonic();
    const triedAt = this.#triedAt.get(placed);
    if (triedAt !== undefined && now - triedAt < AGAIN_MS) return true;
    this.#triedAt.set(placed, now);
    void this.#move(placed, names.join(", "));
    return true;
  }

  #draining(): readonly NodeRecord[] {
    const { ownRecord, membership } = this.#options;
    return [ownRecord(), ...membership.alive().map(({ record }) => record)].filter(({ draining }) => draining);
  }

  async #move(placed: PlacedModel<LoadedHead>, names: string): Promise<void> {
    const { planner, ownRecord, logger } = this.#options;
    const { id, model, request, placement } = placed;
    if (model === null || placement === null) return;
    try {
      const remains = { ringIds: [id], contextSize: placement.ring.contextSize };
      await planner.place(id, model, letGo(request, ownRecord()), never, remains);
      await placed.placeAgain(`The ring changes: ${names} is being drained.`, true);
    } catch (thrown) {
      // It goes on answering where it is.
      const { message } = ExoError.from(thrown);
      logger.warn({ model: model.id, ring: id, error: message }, `${names} cannot be drained yet`);
    }
  }
}
