import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { totalBytes } from "../model/memory-estimate.js";
import { coreShares } from "../planning/core-share.js";
import { type SparePlace, sparePlaces } from "../planning/spare-places.js";
import { usableMemory } from "../planning/topology.js";
import type { LoadStageRequest } from "../transport/node-service.js";
import type { LoadedHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { Member } from "./membership.js";
import type { PlaceableModel } from "./model-source.js";
import type { NodeRecord, SpareRecord } from "./node-record.js";
import { topologyOf } from "./place.js";
import type { PlacedModel, Placement } from "./placed-model.js";

export interface RingSparesOptions {
  readonly ownRecord: () => NodeRecord;
  readonly membership: Pick<MemberView, "alive" | "ownAddress">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Spares are asked for again so often: nodes come and go, and memory with them. A spare lives three times as long. */
const AGAIN_MS = 20_000;
const MOST_DONE_MS = 600_000;

/** For which ring and which nodes it was looked at last, and when. */
interface Arranged {
  readonly placement: Placement;
  readonly nodes: string;
  readonly at: number;
}

/** Has other nodes stand by for the stages of rings whose head this node is. */
export class RingSpares {
  readonly #options: RingSparesOptions;
  readonly #arranged = new WeakMap<object, Arranged>();
  readonly #busy = new WeakSet<object>();

  constructor(options: RingSparesOptions) {
    this.#options = options;
  }

  /** Called now and then for each ring whose head this node is. */
  check(placed: PlacedModel<LoadedHead>): void {
    const { placement, model, request } = placed;
    if (request.spares === 0 || placement === null || model === null || this.#busy.has(placed)) return;
    if (placed.record().state !== "ready") return;
    const at = this.#options.clock.monotonic();
    const nodes = this.#options.membership
      .alive()
      .map(({ id }) => id)
      .join(" ");
    const before = this.#arranged.get(placed);
    if (before?.placement === placement && before.nodes === nodes && at - before.at < AGAIN_MS) return;
    this.#arranged.set(placed, { placement, nodes, at });
    this.#busy.add(placed);
    void this.#arrange(placed, model, placement).finally(() => this.#busy.delete(placed));
  }

  async #arrange(placed: PlacedModel<LoadedHead>, model: PlaceableModel, placement: Placement): Promise<void> {
    const { stages } = placement.plan;
    const guarded = stages.map((stage) => ({ ...stage, bytes: totalBytes(stage.memory) }));
    const all = this.#options.membership.alive().filter(({ record }) => isAllowed(record, placed));
    const idle = all.filter(({ id }) => !stages.some(({ nodeId }) => nodeId === id));
    const standby = topologyOf(idle.map(({ record }) => record)).nodes;
    const places = sparePlaces(
      guarded,
      standby.map((node) => ({ id: node.id, bytes: usableMemory(node) + spareBytes(idle, node.id) })),
      placed.request.spares,
    );
    const told = new Map(places.map((place) => [place, recordOf(place, placement, "fetching")]));
    placed.noteSpares([...told.values()]);
    await Promise.all(
      places.map(async (place) => {
        const member = all.find(({ id }) => id === place.nodeId);
        const state = member === undefined ? "failed" : await this.#ask(placed, model, placement, place, member);
        told.set(place, recordOf(place, placement, state));
        if (placed.placement === placement) placed.noteSpares([...told.values()]);
      }),
    );
  }

  async #ask(
    placed: PlacedModel<LoadedHead>,
    model: PlaceableModel,
    placement: Placement,
    place: SparePlace,
    member: Member,
  ): Promise<SpareRecord["state"]> {
    const { ownRecord, membership, logger } = this.#options;
    const nodes = [ownRecord(), ...membership.alive().map(({ record }) => record)];
    const cores = coreShares(nodes).get(member.id) ?? 0;
    const nextHop = { nodeId: ownRecord().id, ...membership.ownAddress() };
    const request = spareRequest(placed, model, placement, place, { cores, nextHop });
    try {
      for await (const event of member.client.loadStage(request, AbortSignal.timeout(MOST_DONE_MS))) {
        if (event.type === "done") return "loaded";
      }
      return "fetched";
    } catch (thrown) {
      const { message } = ExoError.from(thrown);
      logger.debug({ node: member.name, ring: placed.id, error: message }, "a spare was not made");
      return "failed";
    }
  }
}

function isAllowed(record: NodeRecord, { request: { nodes } }: PlacedModel<LoadedHead>): boolean {
  return !record.draining && (nodes === null || nodes.includes(record.id) || nodes.includes(record.name));
}

/** What its spares take counts as free. */
function spareBytes(members: readonly Member[], nodeId: string): number {
  const kept = members.find(({ id }) => id === nodeId)?.record.kept ?? [];
  return kept.reduce((sum, { memory }) => sum + totalBytes(memory) + memory.output, 0);
}

function recordOf({ nodeId, stageIndex }: SparePlace, { plan }: Placement, state: SpareRecord["state"]): SpareRecord {
  const { layerBegin = 0, layerEnd = 0 } = plan.stages[stageIndex] ?? {};
  return { nodeId, layerBegin, layerEnd, state };
}

function spareRequest(
  placed: PlacedModel<LoadedHead>,
  model: PlaceableModel,
  { plan, ring }: Placement,
  { stageIndex, load }: SparePlace,
  there: Pick<LoadStageRequest, "cores" | "nextHop">,
): LoadStageRequest {
  const { layerBegin = 0, layerEnd = 0 } = plan.stages[stageIndex] ?? {};
  const { slots: maxSequences, ...settings } = ring;
  return {
    ...settings,
    ...there,
    place: { ringId: placed.id, epoch: placed.record().epoch, stageIndex, stageCount: plan.stages.length },
    model: model.spec,
    modelHash: model.hash,
    layerBegin,
    layerEnd,
    // Both ends of the model come with the head's layers.
    hasOutput: stageIndex === 0,
    maxSequences,
    replaces: [],
    spare: load ? "load" : "fetch",
  };
}
