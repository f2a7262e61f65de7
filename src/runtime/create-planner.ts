import type { PlaceableNode } from "../cluster/place.js";
import { Planner } from "../cluster/planner.js";
import { ringSettingsOf } from "../cluster/ring-settings.js";
import type { Settings } from "../config/config.js";
import type { ResolvedModel, ResolveOptions } from "../model/resolved-model.js";

/** Plans with a node's own settings, over the nodes that it knows. */
export function createPlanner(
  config: Settings,
  models: { resolve(spec: string, options: ResolveOptions): Promise<ResolvedModel> },
  nodes: () => readonly PlaceableNode[],
): Planner {
  const { ctx, strategy, minNodes, layers } = config;
  return new Planner({
    header: (spec, signal) => models.resolve(spec, { signal }),
    nodes,
    speeds: () => null,
    ring: ringSettingsOf(config),
    contextSize: ctx,
    strategy,
    minNodes,
    layers,
  });
}
