/** What exists, as planning sees it; plain data, filled from what the nodes say of themselves. */
export interface Topology {
  readonly nodes: readonly TopologyNode[];
}

export interface TopologyNode {
  readonly id: string;
  readonly name: string;
  readonly devices: readonly TopologyDevice[];
  /** Most bytes that the owner offers, or `null` for no cap. */
  readonly memoryCap: number | null;
}

/** A pool of memory that weights can be put in. Bytes. */
export interface TopologyDevice {
  /** ggml's name, e.g. `CPU`, `CUDA0`. */
  readonly name: string;
  readonly kind: "cpu" | "gpu" | "igpu" | "accelerator";
  readonly memoryTotal: number;
  readonly memoryFree: number;
}

/** Part of the free memory that is left to the rest of the machine. */
const HEAD_ROOM = 0.05;

/** Graphics units of these names compute in the machine's own memory, which its CPU device counts already. */
const SHARES_MAIN_MEMORY = /^(metal|mtl)/i;

function hasOwnMemory(device: TopologyDevice): boolean {
  return device.kind === "gpu" && !SHARES_MAIN_MEMORY.test(device.name);
}

/** Bytes that stages may take in each pool of a node, in the order of its devices: free memory less head-room. */
export function memoryPools(node: TopologyNode): readonly number[] {
  const free = ({ memoryFree }: TopologyDevice): number => Math.floor(memoryFree * (1 - HEAD_ROOM));
  const own = node.devices.filter(hasOwnMemory).map(free);
  // What shares the machine's memory is one pool, however many devices see it.
  const shared = node.devices.filter((device) => !hasOwnMemory(device)).map(free);
  return shared.length === 0 ? own : [...own, Math.max(...shared)];
}

/** Bytes of a node that stages may take: its pools together, at most the cap. */
export function usableMemory(node: TopologyNode): number {
  const free = memoryPools(node).reduce((sum, bytes) => sum + bytes, 0);
  return node.memoryCap === null ? free : Math.min(free, node.memoryCap);
}

/** Ids compare by code unit, so that every node sorts alike. */
export function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
