import { ExoError } from "../core/errors.js";
import type { FoundRing, FoundRings } from "./found-rings.js";
import type { MemberView } from "./member-view.js";
import type { Member } from "./membership.js";
import { whyWaiting } from "./missing-nodes.js";
import type { ModelRequest } from "./model-request.js";
import type { ModelSource } from "./model-source.js";
import type { NodeRecord, RingRecord } from "./node-record.js";
import type { RingPlanner } from "./ring-planner.js";
import { plannedStageRecord } from "./ring-record.js";

export interface NodeDrainOptions {
  readonly ownRecord: () => NodeRecord;
  readonly membership: Pick<MemberView, "members">;
  readonly found: Pick<FoundRings, "all">;
  readonly planner: Pick<RingPlanner, "records" | "placeOn">;
  readonly models: Pick<ModelSource, "header">;
  /** Of this node. */
  readonly setDraining: (draining: boolean) => void;
}

export interface DrainOutcome {
  readonly node: { readonly id: string; readonly name: string };
  readonly draining: boolean;
  /** The rings that are placed without it when what was begun there is answered. */
  readonly rings: readonly { readonly id: string; readonly model: string }[];
}

/** Takes nodes out of use, and back. */
export class NodeDrain {
  readonly #options: NodeDrainOptions;

  constructor(options: NodeDrainOptions) {
    this.#options = options;
  }

  /**
   * @param node id or name
   *
   * Rejects with what is missing, and leaves everything as it is, where a ring has nowhere else to go.
   */
  async drain(node: string, draining: boolean): Promise<DrainOutcome> {
    const { id, name, client } = this.#find(node);
    const rings = this.#options.found.all().filter(({ ring }) => ring.stages.some(({ nodeId }) => nodeId === id));
    if (draining) await this.#checkPlaces(id, name, rings);
    if (client === null) this.#options.setDraining(draining);
    else await client.drain(draining);
    const told = draining ? rings.map(({ ring }) => ({ id: ring.id, model: ring.model })) : [];
    return { node: { id, name }, draining, rings: told };
  }

  #find(wanted: string): Pick<Member, "id" | "name"> & { readonly client: Member["client"] | null } {
    const own = this.#options.ownRecord();
    const members = this.#options.membership.members().filter(({ state }) => state === "alive");
    const all = [{ id: own.id, name: own.name, client: null }, ...members];
    const byId = all.find(({ id }) => id === wanted);
    const byName = all.filter(({ name }) => name === wanted);
    if (byId === undefined && byName.length > 1) throw wrongNode(wanted, "several nodes have that name; give its id");
    const found = byId ?? byName[0];
    if (found !== undefined) return found;
    throw wrongNode(wanted, `the nodes are ${all.map(({ name }) => name).join(", ")}`);
  }

  /** Each ring as it would be without the node, beside those that were placed so before it. */
  async #checkPlaces(nodeId: string, name: string, rings: readonly FoundRing[]): Promise<void> {
    const { planner, models } = this.#options;
    let records = (await planner.records()).map((record) =>
      record.id === nodeId ? { ...record, draining: true } : record,
    );
    for (const { ring } of rings.filter(({ ring }) => ring.state === "ready" || ring.state === "loading")) {
      const request = requestWithout(ring, nodeId);
      if (request === null) continue;
      try {
        const left = records.filter(({ draining }) => !draining);
        const missing = whyWaiting(request, left, []);
        if (missing !== null) throw new ExoError("not_ready", missing);
        const model = await models.header(ring.spec, {});
        const { plan } = planner.placeOn(records, ring.id, model, request);
        const stages = plan.stages.map((stage) => plannedStageRecord(stage, stage.nodeId));
        records = withRing(records, { ...ring, state: "loading", stages });
      } catch (thrown) {
        throw cannotDrain(name, ring, ExoError.from(thrown));
      }
    }
  }
}

/** Its head, if it is not the node, stays its head. `null`: a node that does not say how it was asked for. */
function requestWithout({ request, stages }: RingRecord, nodeId: string): ModelRequest | null {
  if (request === undefined) return null;
  const isHead = stages[0]?.nodeId === nodeId;
  return isHead && request.nodes === null ? { ...request, head: null, preferredHead: null } : request;
}

function withRing(records: readonly NodeRecord[], ring: RingRecord): NodeRecord[] {
  return records.map((record, index) => (index === 0 ? { ...record, rings: [...record.rings, ring] } : record));
}

function wrongNode(wanted: string, why: string): ExoError {
  return new ExoError("invalid_argument", `There is no one node ${JSON.stringify(wanted.slice(0, 256))}: ${why}.`, {
    param: "node",
  });
}

function cannotDrain(name: string, { model }: RingRecord, { code, message }: ExoError): ExoError {
  return new ExoError(code, `${name} cannot be drained: ${model} has no place without it. ${message}`, {
    retryable: false,
  });
}
