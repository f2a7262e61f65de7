import { canonicalSpec } from "../cluster/known-models.js";
import { withKeptFreed, withOtherClaims } from "../cluster/memory-claims.js";
import type { NodeRecord } from "../cluster/node-record.js";
import { Planner } from "../cluster/planner.js";
import { ringSettingsOf } from "../cluster/ring-settings.js";
import type { UnfitNodes } from "../cluster/unfit-nodes.js";
import type { Config } from "../config/config.js";
import type { ModelHeader, ResolveOptions } from "../model/resolved-model.js";
import type { Measurement } from "./probe/measurement.js";

export interface PlannerSources {
  readonly config: Config;
  readonly models: { header(spec: string, options: ResolveOptions): Promise<ModelHeader> };
  readonly nodes: () => readonly NodeRecord[];
  readonly measurement: Pick<Measurement, "gather">;
  readonly unfit: Pick<UnfitNodes, "among">;
}

/** Plans with a node's own settings, over the nodes that it knows and what they measure. */
export function createPlanner({ config, models, nodes, measurement, unfit }: PlannerSources): Planner {
  const { ctx, strategy, minNodes, layers } = config;
  const ring = ringSettingsOf(config);
  const { microBatchSize, flashAttention } = ring;
  const drafted = config.model === null ? null : canonicalSpec(config.model);
  const drafts = config.speculation === "draft" || config.speculation === "auto";
  return new Planner({
    header: (spec, signal) => models.header(spec, { signal }),
    nodes: (model) => withKeptFreed(withOtherClaims(nodes(), model?.spec ?? null)).filter(({ draining }) => !draining),
    unfit: ({ spec }) => unfit.among(spec, nodes()),
    speeds: ({ spec }, { kvTypeK, kvTypeV }, signal) => {
      const left = unfit.among(spec, nodes()).map(({ nodeId }) => nodeId);
      const measured = nodes().filter(({ id }) => !left.includes(id));
      const request = { model: spec, microBatchSize, kvTypeK, kvTypeV, flashAttention };
      return measurement.gather(measured, request, signal);
    },
    draftModelFor: ({ spec }, asked) =>
      drafts && [spec, asked].some((text) => canonicalSpec(text) === drafted) ? config.draftModel : null,
    ring,
    contextSize: ctx,
    strategy,
    minNodes,
    layers,
  });
}
