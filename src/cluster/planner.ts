import { formatByteSize } from "../config/byte-size.js";
import type { KvType, Strategy } from "../config/config.js";
import type { LayerAssignment } from "../config/layer-assignment.js";
import { ExoError } from "../core/errors.js";
import type { ModelShape } from "../model/model-shape.js";
import { infoOfShape } from "../model/model-shape.js";
import type { ModelHeader } from "../model/resolved-model.js";
import { type Estimate, estimateModel } from "../planning/estimate.js";
import { UNMEASURED_LINK } from "../planning/ring/make-problem.js";
import type { RingLink } from "../planning/ring/ring-problem.js";
import type { Speeds } from "../planning/speeds.js";
import { compareIds, type TopologyNode } from "../planning/topology.js";
import {
  besideHeadBytes,
  DEFAULT_CONTEXT,
  memoryNeeds,
  type PlaceableNode,
  type PlaceOptions,
  place,
  placeCopies,
  topologyOf,
  withoutStages,
} from "./place.js";
import type { Placement } from "./placed-model.js";
import { type RingSettings, withCache } from "./ring-settings.js";
import { type UnfitNode, unfitText, withUnfit } from "./unfit-nodes.js";

/** A model of which the header is known. */
export interface KnownModel extends Pick<ModelHeader, "id" | "spec" | "info"> {
  /** The same model in other quantisations, where it is known which there are. */
  readonly siblings?: readonly { readonly quantisation: string; readonly bytes: number }[];
}

export interface PlannerOptions {
  /** Finds a model by its spec, or fetches what is needed to describe it. */
  readonly header: (spec: string, signal: AbortSignal) => Promise<KnownModel>;
  /** The nodes that are there now, as a plan of this model has to see them; `null`: of a model that is nowhere. */
  readonly nodes: (model: KnownModel | null) => readonly PlaceableNode[];
  /** Those of them that the model is placed without for a while. */
  readonly unfit: (model: KnownModel) => readonly UnfitNode[];
  /** What is measured of a model on the nodes that are there; `null`: nothing. */
  readonly speeds: (
    model: KnownModel,
    ring: Pick<RingSettings, "kvTypeK" | "kvTypeV">,
    signal: AbortSignal,
  ) => Promise<Speeds | null>;
  /** Spec of the model that drafts for this one on its head, as the node was started; `null`: none. */
  readonly draftModelFor: (model: KnownModel, asked: string) => string | null;
  readonly ring: Omit<RingSettings, "contextSize">;
  readonly contextSize: number | null;
  readonly strategy: Strategy;
  readonly minNodes: number;
  readonly layers: readonly LayerAssignment[] | null;
}

/** What may be asked for other than the node's own settings. `null`: as those say. */
export interface PlanQuestion {
  readonly model: string;
  readonly strategy: Strategy | null;
  readonly contextSize: number | null;
  readonly slots: number | null;
  readonly kv: KvType | null;
  readonly kvV: KvType | null;
  readonly minNodes: number | null;
  readonly layers: readonly LayerAssignment[] | null;
  /** Spec of a model that drafts on the head. */
  readonly draftModel: string | null;
  /** Id or name of the head. */
  readonly head: string | null;
}

export interface EstimateQuestion {
  /** A spec, or the shape of a model that nobody has, in some quantisation. */
  readonly model: string | { readonly name: string; readonly shape: ModelShape; readonly quantisation: string };
  readonly contextSize: number | null;
  readonly slots: number | null;
  readonly kv: KvType | null;
  readonly kvV: KvType | null;
  /** Bytes of each machine to ask about, instead of those that are here. */
  readonly memory: readonly number[] | null;
  readonly link: RingLink | null;
}

/** A plan for a question, with the nodes that it speaks of. */
export interface PlanAnswer extends Placement {
  readonly nodes: readonly PlaceableNode[];
}

/** Plans and estimates without loading anything. */
export class Planner {
  readonly #options: PlannerOptions;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  async plan(question: PlanQuestion, signal: AbortSignal): Promise<PlanAnswer> {
    const { contextSize, strategy, minNodes, layers, header, speeds } = this.#options;
    const ring = withCache(this.#options.ring, question);
    const model = await header(question.model, signal);
    const draftSpec = question.draftModel ?? this.#options.draftModelFor(model, question.model);
    const draft = draftSpec === null ? null : await header(draftSpec, signal);
    const measured = await speeds(model, ring, signal);
    const unfit = this.#options.unfit(model);
    // A model that is loaded already is planned as if it were not.
    const nodes = withoutStages(this.#options.nodes(model), (stage) => stage.model === model.id);
    const options: PlaceOptions = {
      model,
      nodes: nodes.filter(({ id }) => !unfit.some(({ nodeId }) => nodeId === id)),
      ring: { ...ring, slots: question.slots ?? ring.slots },
      contextSize: question.contextSize ?? contextSize,
      layers: question.layers ?? layers,
      besideHead: draft?.info ?? null,
      strategy: question.strategy ?? strategy,
      speeds: measured,
      minNodes: question.minNodes ?? minNodes,
      head: nodes.find(({ id, name }) => [id, name].includes(question.head ?? ""))?.id ?? question.head,
    };
    const placement = asCopies(options, placeWithout(unfit, options));
    const { plan, ...rest } = draft === null ? placement : withDraftModel(placement, draft);
    return { ...rest, plan: withUnfit(plan, unfit), nodes };
  }

  async estimate(question: EstimateQuestion, signal: AbortSignal): Promise<Estimate> {
    const { ring, contextSize, header } = this.#options;
    const model: KnownModel =
      typeof question.model === "string"
        ? await header(question.model, signal)
        : {
            id: question.model.name,
            spec: question.model.name,
            info: infoOfShape(question.model.shape, question.model.quantisation),
          };
    const { id, info, siblings = [] } = model;
    const asked = {
      ...ring,
      slots: question.slots ?? ring.slots,
      kvTypeK: question.kv ?? ring.kvTypeK,
      kvTypeV: question.kvV ?? question.kv ?? ring.kvTypeV,
    };
    const wanted = question.contextSize ?? contextSize ?? Math.min(info.contextTrained, DEFAULT_CONTEXT);
    return estimateModel({
      model: id,
      info,
      nodes: question.memory === null ? this.#nodes() : question.memory.map(imaginedNode),
      needs: memoryNeeds(asked, wanted),
      siblings,
      link: question.link ?? UNMEASURED_LINK,
      wireType: ring.wireType,
    });
  }

  #nodes(): readonly TopologyNode[] {
    return topologyOf(this.#options.nodes(null)).nodes.toSorted((a, b) => compareIds(a.id, b.id));
  }
}

/** What cannot be placed without these nodes is refused with the reason why it would have to be. */
function placeWithout(unfit: readonly UnfitNode[], options: PlaceOptions): Placement {
  try {
    return place(options);
  } catch (thrown) {
    const error = ExoError.from(thrown);
    if (unfit.length === 0) throw error;
    const message = [error.message, ...unfit.map(unfitText)].join(" ");
    throw new ExoError(error.code, message, { cause: error, ...(error.param === null ? {} : { param: error.param }) });
  }
}

/** The first of the copies that loading makes, where it makes several, with a sentence that says so; else the ring. */
function asCopies(options: PlaceOptions, placement: Placement): Placement {
  const { plans, reason } = placeCopies(options, placement.ring.contextSize);
  const [first] = plans;
  if (first === undefined || plans.length < 2) return placement;
  const names = plans.map(({ head }) => options.nodes.find(({ id }) => id === head)?.name ?? head);
  const told = `${reason} Each copy is whole: on ${names.join(", ")}. This is the first of them.`;
  return { plan: { ...first, reasons: [told, ...first.reasons] }, ring: placement.ring };
}

/** Says what the head holds besides, which is not in the memory of its stage. */
function withDraftModel({ plan, ring }: Placement, { id, info }: KnownModel): Placement {
  const bytes = formatByteSize(besideHeadBytes(info, memoryNeeds(ring, ring.contextSize)));
  const reason =
    `The head holds the draft model ${id} besides: ${bytes}. What is predicted is without drafts, which are made only ` +
    "where they make answers quicker.";
  const at = plan.reasons.length - plan.unused.length;
  return { plan: { ...plan, reasons: plan.reasons.toSpliced(at, 0, reason) }, ring };
}

/** A machine that offers just so much. */
function imaginedNode(bytes: number, index: number): TopologyNode {
  const id = `machine-${index + 1}`;
  // A pool of twice as much, so that the head-room of real ones is not taken off.
  const device = { name: "CPU", kind: "cpu", memoryTotal: 2 * bytes, memoryFree: 2 * bytes } as const;
  return { id, name: id, memoryCap: bytes, devices: [device] };
}
