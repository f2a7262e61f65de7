import { canonicalSpec } from "../cluster/known-models.js";
import type { MemberView } from "../cluster/member-view.js";
import type { ModelSource } from "../cluster/model-source.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { RingSetup } from "../cluster/own-rings.js";
import { placeRequest } from "../cluster/place-request.js";
import { PlacedModel, type Placement } from "../cluster/placed-model.js";
import type { PlaceQuestion } from "../cluster/ring-planner.js";
import type { Config } from "../config/config.js";
import { BoundedMap } from "../core/bounded-map.js";
import type { NodeMeters } from "./meters.js";
import type { ModelSupply } from "./model-supply.js";
import type { OwnCompute } from "./own-compute.js";
import { RingHead, type RingHeadPorts } from "./ring-head.js";
import { NO_SPECULATION, resolveSpeculation, type SpeculationSettings } from "./speculation/settings.js";

export interface RingMakerOptions {
  readonly config: Config;
  readonly self: { readonly id: string; readonly name: string };
  readonly ownRecord: () => NodeRecord;
  readonly membership: MemberView;
  readonly store: Pick<ModelSupply, "header" | "resolve" | "resolvePart">;
  readonly compute: OwnCompute;
  readonly ports: RingHeadPorts;
  readonly meters: NodeMeters;
  /** Throws `out_of_memory` when this machine is short of memory as it is. */
  readonly requireMemory: () => void;
}

const RETRY_MS = 2_000;
/**
 * Beyond what one stage may compute: whatever keeps a micro-batch longer has broken the ring before, or is a fault that
 * nobody knows. A node that is gone closes its edges, one that falls silent is noticed, and one whose thread hangs says so.
 */
const ROUND_TRIP_MARGIN_MS = 60_000;

/** More than there can be rings. */
const MOST_SPECS = 256;

/** Makes rings whose head this node is, as its settings say. */
export class RingMaker {
  readonly source: ModelSource;
  readonly #options: RingMakerOptions;
  /** The model that the node was started with: the one that a draft model is for. */
  readonly #draftedFor: string | null;
  /** By spec, of models that were asked for lately. */
  readonly #speculation = new BoundedMap<string, SpeculationSettings>(MOST_SPECS);

  constructor(options: RingMakerOptions) {
    const { model } = options.config;
    this.#options = options;
    this.#draftedFor = model === null ? null : canonicalSpec(model);
    this.source = this.#source();
  }

  create(setup: RingSetup<RingHead>): PlacedModel<RingHead> {
    const { config, self, ownRecord, membership, compute, ports, meters, requireMemory } = this.#options;
    const { spec } = setup.request;
    return new PlacedModel<RingHead>({
      ...setup,
      self,
      ownRecord,
      membership,
      models: this.source,
      openHead: async (request, hooks) => {
        requireMemory();
        return RingHead.open(
          {
            ...request,
            compute: compute.settings(),
            queueLimit: config.queue,
            contextFull: config.contextFull,
            requestTimeout: config.requestTimeout,
            speculation: this.#speculation.get(spec) ?? NO_SPECULATION,
            roundTripDeadlineMs: ports.watchdog.longestMs + ROUND_TRIP_MARGIN_MS,
            meter: meters.model(request.model),
          },
          ports,
          hooks,
        );
      },
      onPlacedAnew: (model, cause) => meters.replans.add([model, cause]),
      retryMs: RETRY_MS,
      mostHeld: config.queue + setup.request.ring.slots,
      clock: ports.clock,
      logger: ports.logger,
    });
  }

  place(question: PlaceQuestion): Placement {
    const beside = this.#speculation.get(question.request.spec)?.draftModel ?? null;
    return placeRequest(question, { nodeId: this.#options.self.id, info: beside?.info ?? null });
  }

  #source(): ModelSource {
    const { store } = this.#options;
    return {
      header: async (spec, options) => {
        this.#speculation.set(spec, await this.#speculationFor(spec, options.signal));
        return store.header(spec, options);
      },
      resolvePart: (spec, part, options) => store.resolvePart(spec, part, options),
    };
  }

  #speculationFor(spec: string, signal: AbortSignal | undefined): Promise<SpeculationSettings> {
    const { config, store } = this.#options;
    if (spec === this.#draftedFor) return resolveSpeculation(config, store, signal);
    const speculation = config.speculation === "draft" ? "off" : config.speculation;
    return resolveSpeculation({ ...config, speculation, draftModel: null }, store, signal);
  }
}
