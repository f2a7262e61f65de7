import type { ClusterNode } from "./cluster-snapshot.js";

/**
 * Says so where nodes that take part bear the same name, at the first of them. They can: it is the host's by default, and
 * machines fresh from one image are called alike. Ids tell them apart, but whoever wants to name one cannot.
 */
export function withNameNotices(nodes: readonly ClusterNode[]): readonly ClusterNode[] {
  const present = nodes.filter(({ state }) => state === "alive" || state === "suspect");
  return nodes.map((node) => {
    const same = present.filter(({ name }) => name === node.name);
    if (same.length < 2 || same[0] !== node) return node;
    return { ...node, notice: `${same.length} nodes are named ${node.name}; start each with a --name of its own.` };
  });
}
