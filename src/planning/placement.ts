import { ExoError } from "../core/errors.js";
import { nodeLabel } from "./explain.js";
import { placeByHand } from "./manual-placement.js";
import { placeBySpeed } from "./measured-placement.js";
import { placeByMemory } from "./memory-placement.js";
import { isUsableSpeed } from "./pass-time.js";
import { type PlacementRequest, type PlacementTask, placementTask } from "./placement-task.js";
import type { Plan } from "./plan.js";

export type { PlacementRequest } from "./placement-task.js";

/**
 * Which node gets which layers. The same request gives the same plan on every node, in whatever order the nodes are
 * listed. `out_of_memory` when they cannot hold the model, `invalid_argument` when the request cannot be meant.
 */
export function placeModel(request: PlacementRequest): Plan {
  const task = placementTask(request);
  if (task.nodes.length === 0) throw new ExoError("invalid_argument", "There is no node to place the model on.");
  if (task.head !== null && !task.nodes.some(({ id }) => id === task.head)) {
    throw new ExoError("invalid_argument", `The head "${task.head}" is not among the nodes.`);
  }
  if (request.layers) return placeByHand(task, request.layers);
  if (task.strategy === "memory-weighted") return placeByMemory(task, MEMORY_AIM);
  return placeBySpeed(task) ?? placeByMemory(task, fallbackAim(task));
}

const MEMORY_AIM = "Every node that fits is used, with layers in proportion to its memory.";

function fallbackAim({ strategy, speeds, nodes, cost }: PlacementTask): string {
  const known = nodes.filter(({ id }) => {
    const speed = speeds?.nodes.get(id);
    return speed !== undefined && isUsableSpeed(speed, cost.layerCount);
  });
  const names = known.map(({ id }) => nodeLabel(nodes, id)).join(", ");
  const why =
    known.length === 0
      ? "nothing is measured yet"
      : `the nodes whose speed is known (${names}) cannot hold the model by themselves`;
  return `Layers are dealt out in proportion to memory, because ${why}: --strategy ${strategy} needs speeds.`;
}
