import type { ClusterNode, ClusterRing, ClusterSnapshot, ClusterStage } from "../../src/api/cluster-snapshot.js";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** Two nodes with a ring over both, and a third that was refused. */
export function twoNodeCluster(ring: Partial<ClusterRing> = {}): ClusterSnapshot {
  return {
    node: { id: "a", name: "node-a", version: "0.1.0" },
    nodes: [alive("a", "node-a", "127.0.0.1:52416"), alive("b", "node-b", "127.0.0.1:52418"), refused()],
    rings: [
      {
        id: "kx83ab2q",
        epoch: 1,
        model: "tinyllama",
        state: "ready",
        progress: ring.state === "loading" ? 0.5 : 1,
        reason: null,
        layer_count: 22,
        context_size: 2048,
        slots: 4,
        busy_slots: 1,
        waiting_requests: 0,
        stages: [stage("a", 0, 11, 169), stage("b", 11, 22, 138)],
        ...ring,
      },
    ],
  };
}

function alive(id: string, name: string, address: string): ClusterNode {
  const device = { name: "CPU", description: "a processor", memory_total: 23.4 * GIB, memory_free: 18 * GIB };
  return { id, name, version: "0.1.0", address, state: "alive", reason: null, devices: [device] };
}

function refused(): ClusterNode {
  const address = "10.0.0.9:52416";
  const reason =
    "10.0.0.9 is built with llama.cpp b1 (abc), this node with b2 (def); run the same exo-native release on both.";
  return { id: address, name: address, version: "", address, state: "refused", reason, devices: [] };
}

function stage(node: string, begin: number, end: number, weights: number): ClusterStage {
  return {
    node_id: node,
    layer_begin: begin,
    layer_end: end,
    has_output: begin === 0,
    phase: "load",
    progress: begin === 0 ? 0.75 : 0.25,
    memory: { weights: weights * MIB, kv_cache: 44 * MIB, compute: 16 * MIB },
  };
}
