import type { ModelRequest } from "./model-request.js";
import { type UnfitNode, unfitText } from "./unfit-nodes.js";

interface Present {
  readonly id: string;
  readonly name: string;
}

/**
 * What a request waits for before it can be placed, in sentences; `null`: for nothing.
 *
 * @param unfit nodes that count as absent
 */
export function whyWaiting(
  request: ModelRequest,
  present: readonly Present[],
  unfit: readonly UnfitNode[],
): string | null {
  const fit = present.filter(({ id }) => !unfit.some(({ nodeId }) => nodeId === id));
  const missing = missingText(request, fit);
  return missing === null ? null : [missing, ...unfit.map(unfitText)].join(" ");
}

function missingText(request: ModelRequest, present: readonly Present[]): string | null {
  const absent = (nodes: readonly string[]): readonly string[] =>
    nodes.filter((node) => !present.some(({ id, name }) => id === node || name === node));
  const inLayers = absent((request.layers ?? []).map(({ node }) => node));
  if (inLayers.length > 0) return `Waiting for the nodes that --layers names: ${inLayers.join(", ")}.`;
  const named = absent([...(request.nodes ?? []), ...(request.head === null ? [] : [request.head])]);
  if (named.length > 0) return `Waiting for the nodes that were named: ${[...new Set(named)].join(", ")}.`;
  const { minNodes } = request;
  return present.length < minNodes ? `Waiting for nodes: ${present.length} of ${minNodes} are here.` : null;
}

/** What is done once they are there and before anything is loaded. */
export function whatIsPlanned({ strategy }: ModelRequest): string {
  const measured = "The nodes are measured where they were not yet, and the ring is planned.";
  return strategy === "memory-weighted" ? "The ring is planned." : measured;
}
