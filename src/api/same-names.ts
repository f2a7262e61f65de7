import type { ClusterNode } from "./cluster-snapshot.js";

/**
 * Says so where nodes that take part bear the same name. They can: it is the host's by default, and machines fresh from one
 * image are called alike. Ids tell them apart, but whoever wants to name one cannot.
 */
export function withNameNotices(nodes: readonly ClusterNode[]): readonly ClusterNode[] {
  const present = nodes.filter(({ state }) => state === "alive" || state === "suspect");
  return nodes.map((node) => {
    const same = present.filter(({ name, id }) => name === node.name && id !== node.id);
    if (same.length === 0 || !present.includes(node)) return node;
    const others = same.length === 1 ? "Another node is" : `${same.length} other nodes are`;
    return { ...node, notice: `${others} named ${node.name}, too; start each with a --name of its own.` };
  });
}
