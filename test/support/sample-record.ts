import type { NodeRecord } from "../../src/cluster/node-record.js";

/** What a node says of itself that does nothing. */
export function sampleRecord(overrides: Partial<NodeRecord> = {}): NodeRecord {
  return {
    id: "a",
    name: "node-a",
    version: "0.1.0",
    llamaTag: "b1",
    grpcPort: 1,
    httpAddress: null,
    devices: [],
    machine: "",
    cores: [0],
    memoryCap: null,
    stages: [],
    knows: [],
    rings: [],
    power: "unknown",
    links: [],
    ...overrides,
  };
}
