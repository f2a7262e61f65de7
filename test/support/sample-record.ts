import type { NodeRecord } from "../../src/cluster/node-record.js";

/** What a node says of itself that has nothing to tell; a test names what it is about. */
export function sampleRecord(overrides: Partial<NodeRecord> = {}): NodeRecord {
  const id = overrides.id ?? "a";
  return {
    id,
    instance: `instance-of-${id}`,
    incarnation: 1,
    revision: 1,
    name: `node-${id}`,
    version: "0.1.0",
    llamaTag: "b1",
    grpcPort: 1,
    addresses: [],
    httpAddress: null,
    devices: [],
    machine: "",
    cores: [0],
    threads: { decode: null, batch: null },
    memoryCap: null,
    stages: [],
    kept: [],
    draining: false,
    knows: [],
    rings: [],
    power: "unknown",
    links: [],
    models: [],
    downloads: [],
    unfit: [],
    ...overrides,
  };
}
