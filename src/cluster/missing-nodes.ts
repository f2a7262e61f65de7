import type { ModelRequest } from "./model-request.js";

interface Present {
  readonly id: string;
  readonly name: string;
}

/** The nodes that a request waits for before it can be placed, as a sentence; `null`: all are there. */
export function whyWaiting(request: ModelRequest, present: readonly Present[]): string | null {
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
