import { compareIds } from "./topology.js";

/** A node as far as its processors go. */
export interface CoreUser {
  readonly id: string;
  /** Nodes of the same machine, or of the same container with a limit, say the same; "" when it is not known. */
  readonly machine: string;
  /** One logical CPU of each core that the node may use. */
  readonly cores: readonly number[];
}

/**
 * How many cores each node takes so that no two of a machine compute on the same one: every core goes to one of the
 * nodes that may use it, to whoever has fewest so far, before others to a node that has little choice. A node that
 * comes away empty, because there are more nodes than cores, takes one all the same.
 *
 * Every node that knows the same nodes comes to the same result.
 */
export function coreShares(nodes: readonly CoreUser[]): ReadonlyMap<string, number> {
  const shares = new Map(nodes.map((node) => [node.id, 0]));
  for (const machine of new Set(nodes.map((node) => node.machine))) {
    if (machine === "") continue;
    dealCores(
      nodes.filter((node) => node.machine === machine),
      shares,
    );
  }
  for (const { id, machine, cores } of nodes) {
    const share = machine === "" ? cores.length : (shares.get(id) ?? 0);
    shares.set(id, Math.max(1, share));
  }
  return shares;
}

function dealCores(neighbours: readonly CoreUser[], shares: Map<string, number>): void {
  const has = ({ id }: CoreUser): number => shares.get(id) ?? 0;
  const byNeed = (a: CoreUser, b: CoreUser): number =>
    has(a) - has(b) || a.cores.length - b.cores.length || compareIds(a.id, b.id);
  const cores = [...new Set(neighbours.flatMap((node) => node.cores))].sort((a, b) => a - b);
  for (const core of cores) {
    const [taker] = neighbours.filter((node) => node.cores.includes(core)).sort(byNeed);
    if (taker !== undefined) shares.set(taker.id, has(taker) + 1);
  }
}

/** What a node computes with. */
export interface ComputingNode extends CoreUser {
  /** As its owner set them; `null`: one per core that is its part. */
  readonly threads: { readonly decode: number | null; readonly batch: number | null };
}

/** Whether this node and those of its machine have more threads together than cores, so that they wait for each other. */
export function areCoresShared(node: ComputingNode, others: readonly ComputingNode[]): boolean {
  const neighbours = others.filter(({ id, machine }) => id !== node.id && machine === node.machine && machine !== "");
  const together = [node, ...neighbours];
  const shares = coreShares(together);
  const threads = together.map(({ id, threads: { decode, batch } }) => {
    const one = decode ?? shares.get(id) ?? 1;
    return Math.max(one, batch ?? one);
  });
  const cores = new Set(together.flatMap((each) => each.cores)).size;
  return neighbours.length > 0 && threads.reduce((sum, each) => sum + each, 0) > cores;
}
