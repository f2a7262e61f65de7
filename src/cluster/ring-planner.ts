import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { resolvedWithin } from "../core/waiting.js";
import type { Speeds } from "../planning/speeds.js";
import { withDrained } from "./draining.js";
import { healRing, keptRanges } from "./heal-ring.js";
import { KnownSpeeds } from "./known-speeds.js";
import type { MemberView } from "./member-view.js";
import { evictableRings, withClaims, withKeptFreed, withoutRings } from "./memory-claims.js";
import { whyWaiting } from "./missing-nodes.js";
import type { ModelRequest, RingRemains } from "./model-request.js";
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

export type GatherSpeeds = (
  nodes: readonly NodeRecord[],
  model: PlaceableModel,
  request: ModelRequest,
  signal: AbortSignal,
  withinMs: number | null,
) => Promise<Speeds | null>;

export interface RingPlannerOptions {
  readonly ownRecord: () => NodeRecord;
  readonly membership: Pick<MemberView, "alive">;
  /** Pure. Throws as `placeModel` does. */
  readonly place: (question: PlaceQuestion) => Placement;
  /**
   * What is measured of the model on these nodes; may take as long as measuring it, or so many milliseconds. `null`:
   * nothing is.
   */
  readonly gatherSpeeds: GatherSpeeds;
  /** Ids of the nodes that each get a copy of the whole model, where that is better than one ring; else none. Pure. */
  readonly copies: (question: PlaceQuestion) => readonly string[];
  readonly unfit: UnfitNodes;
  /** Takes a ring down if it is still idle; says whether it did. */
  readonly evict: (ring: RingRecord) => Promise<boolean>;
  readonly logger: Logger;
}

const never = new AbortController().signal;

/** A ring that broke is planned without nodes that say nothing for so long: one of them may be why it broke. */
const ANSWER_MS = 1_000;

/** Plans over what all nodes say of themselves now, and makes room where that is what a model lacks. */
export class RingPlanner {
  readonly #options: RingPlannerOptions;
  readonly #speeds: KnownSpeeds;

  constructor(options: RingPlannerOptions) {
    this.#options = options;
    this.#speeds = new KnownSpeeds(options.gatherSpeeds);
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

  /** The same of those that answer at once. */
  async #answering(): Promise<readonly NodeRecord[]> {
    const { membership, ownRecord } = this.#options;
    const others = membership.alive().map(({ client }) => {
      const answer = client.health().then(({ record }) => parseNodeRecord(record));
      return resolvedWithin(answer, ANSWER_MS).catch(() => null);
    });
    return [ownRecord(), ...(await Promise.all(others)).filter((record) => record !== null)];
  }

  /**
   * Places the ring of this id, if need be in the memory of rings that nobody uses.
   *
   * @param remains what there is of rings whose place it takes; `null`: it is placed for the first time, or works
   */
  async place(
    ringId: string,
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
    remains: RingRemains | null = null,
  ): Promise<Placement> {
    const healed = remains === null ? null : await this.#heal(ringId, model, request, signal, remains);
    if (healed !== null) return healed;
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

  /** At once, by what is known: whoever was being answered waits. */
  async #heal(
    ringId: string,
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
    { ringIds, contextSize }: RingRemains,
  ): Promise<Placement | null> {
    const rings = new Set([ringId, ...ringIds]);
    const records = await this.#answering();
    // Who is lost may still count as there.
    const left = records.filter(({ draining }) => !draining);
    const missing = whyWaiting(request, left, this.#options.unfit.among(model.spec, left));
    if (missing !== null) throw new ExoError("not_ready", missing);
    const usable = withKeptFreed(withoutRings(withClaims(records, ringId), rings));
    const nodes = usable.filter((record) => this.#mayHold(record, model, request));
    const speeds = await this.#speeds.now(nodes, model, request, signal);
    const question = { model, request: { ...request, contextSize }, nodes, speeds };
    const kept = keptRanges(records, model.spec, rings, contextSize);
    const placement = healRing({ question, kept, place: this.#options.place });
    return placement === null ? null : this.#told(placement, model.spec, records);
  }

  /** As far as memory goes, on nodes as they are said to be. Throws as `placeModel` does. */
  placeOn(records: readonly NodeRecord[], ringId: string, model: PlaceableModel, request: ModelRequest): Placement {
    const usable = withKeptFreed(withoutRings(withClaims(records, ringId), new Set([ringId])));
    const nodes = usable.filter((record) => this.#mayHold(record, model, request));
    return this.#options.place({ model, request, nodes, speeds: null });
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

  #placed(question: PlaceQuestion, records: readonly NodeRecord[]): Placement {
    return this.#told(this.#options.place(question), question.model.spec, records);
  }

  /** Says which nodes were left out before. */
  #told({ plan, ring }: Placement, spec: string, records: readonly NodeRecord[]): Placement {
    return { plan: withDrained(withUnfit(plan, this.#options.unfit.among(spec, records)), records), ring };
  }

  #mayHold(record: NodeRecord, model: PlaceableModel, { nodes }: ModelRequest): boolean {
    const isNamed = nodes === null || nodes.includes(record.id) || nodes.includes(record.name);
    return isNamed && !record.draining && this.#options.unfit.among(model.spec, [record]).length === 0;
  }

  /** What is measured is asked once; what the nodes say of themselves has to be of the moment. */
  async #questioner(
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
  ): Promise<(records: readonly NodeRecord[]) => PlaceQuestion> {
    const allowed = (record: NodeRecord): boolean => this.#mayHold(record, model, request);
    const measured = (await this.records()).filter(allowed);
    const speeds = await this.#speeds.measured(measured, model, request, signal);
    return (nodes) => ({ model, request, nodes: withKeptFreed(nodes.filter(allowed)), speeds });
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
