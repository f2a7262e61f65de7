import type { ClusterDocument } from "../node-client/cluster-document.js";
import { drawDownloads } from "./downloads-picture.js";
import { drawNodes } from "./nodes-picture.js";
import type { Paint } from "./paint.js";
import { drawRing } from "./ring-picture.js";

/** All that `exo-native status` prints, in lines of fewer than `width` columns. */
export function drawCluster(cluster: ClusterDocument, width: number, paint: Paint): string {
  return [...clusterLines(cluster, width, paint), ""].join("\n");
}

/** The same as lines: nodes, what they fetch, and rings. */
export function clusterLines(cluster: ClusterDocument, width: number, paint: Paint): readonly string[] {
  const rings = cluster.rings.flatMap((ring) => ["", ...drawRing(cluster, ring, width, paint)]);
  const none = ["", "No model is placed. Start a node with one:", "npx exo-native serve <model>"];
  return [
    ...drawNodes(cluster, width, paint),
    ...drawDownloads(cluster, width, paint),
    ...(rings.length === 0 ? none : rings),
  ];
}
