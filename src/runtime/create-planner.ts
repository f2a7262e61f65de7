import { canonicalSpec } from "../cluster/known-models.js";
import { withKeptFreed, withOtherClaims } from "../cluster/memory-claims.js";
import type { NodeRecord } from "../cluster/node-record.js";
import { Planner } from "../cluster/planner.js";
import { ringSettingsOf } from "../cluster/ring-settings.js";
import type { Config } from "../config/config.js";
import type { ModelHeader, ResolveOptions } from "../model/resolved-model.js";
import type { Measurement } from "./probe/measurement.js";

/** Plans with a node's own settings, over the nodes that it knows and what they measure. */
export function createPlanner(
  config: Config,
  models: { header(spec: string, options: ResolveOptions): Promise<ModelHeader> },
  nodes: () => readonly NodeRecord[],
  measurement: Pick<Measurement, "gather">,
): Planner {
  const { ctx, strategy, minNodes, layers } = config;
  const ring = ringSettingsOf(config);
  const { microBatchSize, flashAttention } = ring;
  const drafted = config.model === null ? null : canonicalSpec(config.model);
  const drafts = config.speculation === "draft" || config.speculation === "auto";
  return new Planner({
    header: (spec, signal) => models.header(spec, { signal }),
    nodes: (model) => withKeptFreed(withOtherClaims(nodes(), model?.spec ?? null)).filter(({ draining }) => !draining),
    speeds: ({ spec }, { kvTypeK, kvTypeV }, signal) =>
      measurement.gather(nodes(), { model: spec, microBatchSize, kvTypeK, kvTypeV, flashAttention }, signal),
    draftModelFor: ({ spec }, asked) =>
      drafts && [spec, asked].some((text) => canonicalSpec(text) === drafted) ? config.draftModel : null,
    ring,
    contextSize: ctx,
    strategy,
    minNodes,
    layers,
  });
}
