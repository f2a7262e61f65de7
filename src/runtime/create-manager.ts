import { join } from "node:path";
import { KnownModels } from "../cluster/known-models.js";
import { ModelManager } from "../cluster/model-manager.js";
import { PinFile } from "../cluster/pin-file.js";
import { PinnedModels } from "../cluster/pinned-models.js";
import { copiesOf } from "../cluster/place-request.js";
import { worthReplacing } from "../cluster/replan-rule.js";
import type { ModelSupply } from "./model-supply.js";
import type { Measurement } from "./probe/measurement.js";
import type { RingHead } from "./ring-head.js";
import { RingMaker, type RingMakerOptions } from "./ring-maker.js";

export interface ManagerSources extends RingMakerOptions {
  readonly store: RingMakerOptions["store"] & Pick<ModelSupply, "records">;
  readonly measure: Measurement["gather"];
  /** Of this node. */
  readonly setDraining: (draining: boolean) => void;
}

const TIMES = { tickMs: 500, failedMs: 10_000, replanAfterMs: 5_000, remeasureAfterMs: 60_000, idleMomentMs: 1_000 };
/** On a network where nodes find each other, those that are started together shall be placed on together. */
const SETTLE_MS = 1_500;

/** The model manager of a node, as its settings say. */
export function createManager(sources: ManagerSources): ModelManager<RingHead> {
  const { config, self, ports, store, membership, measure } = sources;
  const { clock, logger } = ports;
  const maker = new RingMaker(sources);
  // A node that takes any free port is a new one at each start.
  const kept = config.grpc.port === 0 ? null : join(config.paths.configDir, `pinned-${config.grpc.port}.json`);
  return new ModelManager<RingHead>({
    ...sources,
    ...TIMES,
    selfId: self.id,
    settings: config,
    onDemand: config.onDemand,
    known: new KnownModels({
      own: () => store.records().models,
      others: () => membership.alive().flatMap(({ record }) => record.models),
    }),
    pins: new PinnedModels(kept === null ? null : new PinFile(kept, logger)),
    models: maker.source,
    createRing: (setup) => maker.create(setup),
    place: (question) => maker.place(question),
    copies: copiesOf,
    gatherSpeeds: async (nodes, { spec: model }, { strategy, ring }, signal, withinMs) => {
      // It takes its time, and placing by memory asks for none of it.
      if (strategy === "memory-weighted") return null;
      const { microBatchSize, kvTypeK, kvTypeV, flashAttention } = ring;
      return measure(nodes, { model, microBatchSize, kvTypeK, kvTypeV, flashAttention }, signal, withinMs);
    },
    worthReplacing,
    settleMs: config.open ? SETTLE_MS : 0,
    clock,
    logger,
  });
}
