import { setTimeout as delay } from "node:timers/promises";
import type { PlacementProgress } from "../../cluster/placement-progress.js";
import { ExoError } from "../../core/errors.js";
import type { ClusterDocument, RingDocument } from "../node-client/cluster-document.js";
import type { NodeClient } from "../node-client/node-client.js";
import { ringProgress } from "../node-client/ring-progress.js";

/** Milliseconds between two looks at the ring. */
const LOOK_INTERVAL = 200;

/** Looks at a starting node until it has a ring that is ready, and tells of what it sees meanwhile. */
export async function waitForRing(
  client: NodeClient,
  onProgress: (progress: PlacementProgress) => void,
  signal: AbortSignal,
): Promise<{ readonly cluster: ClusterDocument; readonly ring: RingDocument }> {
  for (;;) {
    const cluster = await clusterOf(client);
    const ring = cluster?.rings[0];
    if (cluster !== null && ring !== undefined) {
      onProgress(ringProgress(cluster, ring));
      if (ring.state === "ready") return { cluster, ring };
    }
    await delay(LOOK_INTERVAL, undefined, { signal });
  }
}

/** `null` while the node does not answer yet. */
async function clusterOf(client: NodeClient): Promise<ClusterDocument | null> {
  try {
    return await client.cluster();
  } catch (thrown) {
    if (thrown instanceof ExoError && thrown.code === "peer_unreachable") return null;
    throw thrown;
  }
}
