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

/** Bytes of a node that stages may take: free memory of every pool, counted once, less head-room, at most the cap. */
export function usableMemory(node: TopologyNode): number {
  const own = node.devices.filter(hasOwnMemory).reduce((sum, device) => sum + device.memoryFree, 0);
  const shared = node.devices.filter((device) => !hasOwnMemory(device)).map((device) => device.memoryFree);
  const free = Math.floor((own + Math.max(0, ...shared)) * (1 - HEAD_ROOM));
  return node.memoryCap === null ? free : Math.min(free, node.memoryCap);
}

/** Ids compare by code unit, so that every node sorts alike. */
export function compareIds(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
