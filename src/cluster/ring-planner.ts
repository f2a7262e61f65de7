import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import type { Speeds } from "../planning/speeds.js";
import type { MemberView } from "./member-view.js";
import { evictableRings, withClaims, withoutRings } from "./memory-claims.js";
import type { ModelRequest } from "./model-request.js";
import type { PlaceableModel } from "./model-source.js";
import { type NodeRecord, parseNodeRecord, type RingRecord } from "./node-record.js";
import type { Placement } from "./placed-model.js";
import { replicaHeads } from "./replica-heads.js";
import { type UnfitNodes, withUnfit } from "./unfit-nodes.js";

/** What is to be placed, on what. */
export interface PlaceQuestion {
  readonly model: PlaceableModel;
  readonly request: ModelRequest;
  readonly nodes: readonly NodeRecord[];
  /** `null`: nothing is measured. */
  readonly speeds: Speeds | null;
}

export interface RingPlannerOptions {
  readonly ownRecord: () => NodeRecord;
  readonly membership: Pick<MemberView, "alive">;
  /** Pure. Throws as `placeModel` does. */
  readonly place: (question: PlaceQuestion) => Placement;
  /** What is measured of the model on these nodes; may take as long as measuring it. `null`: nothing is. */
  readonly gatherSpeeds: (
    nodes: readonly NodeRecord[],
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
  ) => Promise<Speeds | null>;
  /** Ids of the nodes that each get a copy of the whole model, where that is better than one ring; else none. Pure. */
  readonly copies: (question: PlaceQuestion) => readonly string[];
  readonly unfit: UnfitNodes;
  /** Takes a ring down if it is still idle; says whether it did. */
  readonly evict: (ring: RingRecord) => Promise<boolean>;
  readonly logger: Logger;
}

const never = new AbortController().signal;

/** Plans over what all nodes say of themselves now, and makes room where that is what a model lacks. */
export class RingPlanner {
  readonly #options: RingPlannerOptions;

  constructor(options: RingPlannerOptions) {
    this.#options = options;
  }

  /** What every node that is there says of itself at this moment; of one that does not answer, what it said last. */
  async records(): Promise<readonly NodeRecord[]> {
    const { membership, ownRecord } = this.#options;
    const others = membership.alive().map((member) =>
      member.client
        .health()
        .then(({ record }) => parseNodeRecord(record))
        .catch(() => member.record),
    );
    return [ownRecord(), ...(await Promise.all(others))];
  }

  /** Places the ring of this id, if need be in the memory of rings that nobody uses. */
  async place(ringId: string, model: PlaceableModel, request: ModelRequest, signal: AbortSignal): Promise<Placement> {
    const ask = await this.#questioner(model, request, signal);
    for (;;) {
      const records = await this.records();
      try {
        return this.#placed(ask(withClaims(records, ringId)), records);
      } catch (thrown) {
        const error = ExoError.from(thrown);
        if (error.code !== "out_of_memory" || signal.aborted) throw error;
        const leaving = this.#ringsInTheWay(ask, withClaims(records, ringId), model);
        if (leaving.length === 0 || !(await this.#evict(leaving, model))) throw error;
      }
    }
  }

  /** Nodes that get a copy each, where the strategy wants that; else none. */
  async copies(model: PlaceableModel, request: ModelRequest, signal: AbortSignal): Promise<readonly string[]> {
    const { strategy, replica, layers, nodes, head } = request;
    if (strategy !== "throughput" || replica > 0 || layers !== null || nodes !== null || head !== null) return [];
    const ask = await this.#questioner(model, request, signal);
    const question = ask(withClaims(await this.records(), ""));
    return this.#fits(question) ? this.#options.copies(question) : [];
  }

  /** How a ring that works would be placed now; and as it is, with what is foreseen of that now. */
  async placeAgain(
    ringId: string,
    model: PlaceableModel,
    request: ModelRequest,
    placement: Placement,
  ): Promise<{ readonly now: Placement; readonly next: Placement }> {
    const ask = await this.#questioner(model, request, never);
    const records = withoutRings(await this.records(), new Set([ringId]));
    const question = ask(withClaims(records, ringId));
    return { now: this.#foreseen(question, placement), next: this.#placed(question, records) };
  }

  /** Nodes that can each hold the whole model. */
  async replicaHeads(model: PlaceableModel, request: ModelRequest, count: number): Promise<readonly string[]> {
    const ask = await this.#questioner(model, { ...request, layers: null }, never);
    const records = withClaims(await this.records(), "");
    const { nodes } = ask(records);
    return replicaHeads(nodes, count, (node) => this.#options.place({ ...ask([node]), nodes: [node] }));
  }

  /** Says which nodes were left out before. */
  #placed(question: PlaceQuestion, records: readonly NodeRecord[]): Placement {
    const { plan, ring } = this.#options.place(question);
    return { plan: withUnfit(plan, this.#options.unfit.among(question.model.spec, records)), ring };
  }

  /** What is measured is asked once; what the nodes say of themselves has to be of the moment. */
  async #questioner(
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
  ): Promise<(records: readonly NodeRecord[]) => PlaceQuestion> {
    const allowed = (record: NodeRecord): boolean =>
      (request.nodes === null || request.nodes.includes(record.id) || request.nodes.includes(record.name)) &&
      this.#options.unfit.among(model.spec, [record]).length === 0;
    const measured = (await this.records()).filter(allowed);
    const speeds = await this.#options.gatherSpeeds(measured, model, request, signal);
    return (nodes) => ({ model, request, nodes: nodes.filter(allowed), speeds });
  }

  /** The same placement by the measurements of another moment. */
  #foreseen(question: PlaceQuestion, { plan, ring }: Placement): Placement {
    const layers = plan.stages.map(({ nodeId, layerBegin, layerEnd }) => {
      return { node: nodeId, begin: layerBegin, end: layerEnd };
    });
    try {
      const request = { ...question.request, layers, contextSize: ring.contextSize };
      const { predicted, strategy } = this.#options.place({ ...question, request }).plan;
      return predicted === null ? { plan, ring } : { plan: { ...plan, predicted, strategy }, ring };
    } catch {
      // A node has less memory than it seems to give back, say; then what was foreseen before has to do.
      return { plan, ring };
    }
  }

  /** As few as make room, those that were used longest ago; none when that would not help. */
  #ringsInTheWay(
    ask: (records: readonly NodeRecord[]) => PlaceQuestion,
    records: readonly NodeRecord[],
    model: PlaceableModel,
  ): readonly RingRecord[] {
    const idle = evictableRings(
      records.flatMap(({ rings }) => rings),
      model.spec,
    );
    for (let count = 1; count <= idle.length; count++) {
      const leaving = idle.slice(0, count);
      if (this.#fits(ask(withoutRings(records, new Set(leaving.map(({ id }) => id)))))) return leaving;
    }
    return [];
  }

  #fits(question: PlaceQuestion): boolean {
    try {
      this.#options.place(question);
      return true;
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (error.code === "out_of_memory") return false;
      throw error;
    }
  }

  /** Whether any of them made way. */
  async #evict(rings: readonly RingRecord[], { id }: PlaceableModel): Promise<boolean> {
    let any = false;
    for (const ring of rings) {
      const { model, idleSeconds } = ring;
      const idle = Math.round(idleSeconds ?? 0);
      this.#options.logger.info({ model, idleSeconds: idle }, `${model} makes way for ${id}`);
      any = (await this.#options.evict(ring)) || any;
    }
    return any;
  }
}
