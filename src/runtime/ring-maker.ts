import { canonicalSpec } from "../cluster/known-models.js";
import type { MemberView } from "../cluster/member-view.js";
import type { ModelSource } from "../cluster/model-source.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { RingSetup } from "../cluster/own-rings.js";
import { placeRequest } from "../cluster/place-request.js";
import { PlacedModel, type Placement } from "../cluster/placed-model.js";
import type { PlaceQuestion } from "../cluster/ring-planner.js";
import type { Config } from "../config/config.js";
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
}

const RETRY_MS = 2_000;
/**
 * A micro-batch of a large prompt on a slow node may take minutes. A node that is gone closes its edges, and one that
 * stands still is found by their keepalive, long before.
 */
const ROUND_TRIP_DEADLINE_MS = 300_000;

/** Makes rings whose head this node is, as its settings say. */
export class RingMaker {
  readonly source: ModelSource;
  readonly #options: RingMakerOptions;
  /** The model that the node was started with: the one that a draft model is for. */
  readonly #draftedFor: string | null;
  readonly #speculation = new Map<string, SpeculationSettings>();

  constructor(options: RingMakerOptions) {
    const { model } = options.config;
    this.#options = options;
    this.#draftedFor = model === null ? null : canonicalSpec(model);
    this.source = this.#source();
  }

  create(setup: RingSetup<RingHead>): PlacedModel<RingHead> {
    const { config, self, ownRecord, membership, compute, ports, meters } = this.#options;
    const { spec } = setup.request;
    return new PlacedModel<RingHead>({
      ...setup,
      self,
      ownRecord,
      membership,
      models: this.source,
      openHead: (request, hooks) =>
        RingHead.open(
          {
            ...request,
            compute: compute.settings(),
            queueLimit: config.queue,
            contextFull: config.contextFull,
            requestTimeout: config.requestTimeout,
            speculation: this.#speculation.get(spec) ?? NO_SPECULATION,
            roundTripDeadlineMs: ROUND_TRIP_DEADLINE_MS,
            meter: meters.model(request.model),
          },
          ports,
          hooks,
        ),
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
