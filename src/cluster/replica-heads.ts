import { ExoError } from "../core/errors.js";
import type { NodeRecord } from "./node-record.js";

/**
 * Ids of the nodes that are each to hold a whole model, those that are free of other rings first. `fits` throws where the
 * node cannot hold it. Throws `out_of_memory` when there are fewer such nodes than were asked for.
 */
export function replicaHeads(
  nodes: readonly NodeRecord[],
  count: number,
  fits: (node: NodeRecord) => void,
): readonly string[] {
  const reasons: string[] = [];
  const able = nodes.filter((node) => {
    try {
      fits(node);
      return true;
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (error.code !== "out_of_memory") throw error;
      reasons.push(error.message);
      return false;
    }
  });
  if (able.length >= count) {
    const order = able.toSorted((a, b) => a.stages.length - b.stages.length || (a.id < b.id ? -1 : 1));
    return order.slice(0, count).map(({ id }) => id);
  }
  throw new ExoError(
    "out_of_memory",
    `${count} rings of one node each were asked for, but only ${able.length} of ${nodes.length} nodes can hold the whole model. ` +
      `Ask for fewer, or for one ring over several nodes. ${reasons[0] ?? ""}`.trim(),
  );
}
