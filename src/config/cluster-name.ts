import type { Settings } from "./config.js";

/** Of nodes whose owners name none. */
export const DEFAULT_CLUSTER = "default";

export const CLUSTER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** The cluster that a node is of: as it was told, else as its invite says. */
export function clusterOf({ cluster, join }: Pick<Settings, "cluster" | "join">): string {
  return cluster ?? join?.cluster ?? DEFAULT_CLUSTER;
}
