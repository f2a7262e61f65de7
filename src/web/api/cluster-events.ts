import { parseActivity, type RingCounts } from "./activity-document.js";
import { type ClusterDocument, parseCluster } from "./cluster-document.js";
import { serverEvents } from "./event-stream.js";
import type { Server } from "./server.js";
import { hasStatus } from "./server-error.js";

export type ClusterEvent =
  | { readonly kind: "cluster"; readonly cluster: ClusterDocument }
  | { readonly kind: "activity"; readonly rings: readonly RingCounts[] };

/** `GET /cluster/events`: the cluster whenever it changed, and what its rings do. */
export async function* clusterEvents(server: Server, signal: AbortSignal): AsyncGenerator<ClusterEvent, void> {
  const { body } = await server.fetch("/cluster/events", { signal });
  if (body === null) return;
  for await (const { event, data } of serverEvents(body)) {
    if (event === "cluster") yield { kind: "cluster", cluster: parseCluster(JSON.parse(data)) };
    if (event === "activity") yield { kind: "activity", rings: parseActivity(JSON.parse(data)) };
  }
}

/** A node of another version, or one that does not tell; its cluster can be asked for all the same. */
export function hasNoSuchRoute(thrown: unknown): boolean {
  return hasStatus(thrown, 404);
}
