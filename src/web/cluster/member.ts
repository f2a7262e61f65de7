import type { ClusterNode } from "../api/cluster-document.js";

/** Takes part, or did; others were only seen. Who never told a version was never spoken with. */
export function isMember({ state, version }: Pick<ClusterNode, "state" | "version">): boolean {
  return state !== "refused" && version !== "";
}

/** How a node is, as a reader says it. */
export function stateWord(state: string): string {
  switch (state) {
    case "alive":
      return "ready";
    case "suspect":
      return "suspected";
    case "gone":
      return "lost";
    case "refused":
      return "not used";
    default:
      return state;
  }
}
