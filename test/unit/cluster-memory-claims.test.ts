import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { evictableRings, withClaims, withOtherClaims, withoutRings } from "../../src/cluster/memory-claims.js";
import { NO_WORK, type NodeRecord, type RingRecord } from "../../src/cluster/node-record.js";
import { emptyRingRecord, plannedStageRecord } from "../../src/cluster/ring-record.js";
import { sampleRecord } from "../support/sample-record.js";

type Device = NodeRecord["devices"][number];

function ring(id: string, overrides: Partial<RingRecord> = {}): RingRecord {
  return {
    ...emptyRingRecord({ id, spec: id, replica: 0, proposedBy: "a", pinned: false }),
    state: "ready",
    idleSeconds: 1,
    ...overrides,
  };
}

function device(kind: Device["kind"], memoryFree: number, memoryTotal = 100): Device {
  return { name: kind, description: "", kind, memoryFree, memoryTotal };
}

function planned(nodeId: string, bytes: number) {
  const memory = { weights: bytes, kvCache: 0, compute: 0 };
  return plannedStageRecord(
    { nodeId, layerBegin: 0, layerEnd: 1, hasEmbedding: true, hasOutput: true, memory },
    nodeId,
  );
}

describe("memory of several rings", () => {
  test("what a ring that is being loaded was promised is spoken for, until it is loaded", () => {
    const stages = [planned("a", 30), { ...planned("b", 40), phase: "loaded" }];
    const records = [
      sampleRecord({
        id: "a",
        memoryCap: 50,
        devices: [device("cpu", 90)],
        rings: [ring("r", { state: "loading", stages })],
      }),
      sampleRecord({ id: "b", memoryCap: 50, devices: [device("cpu", 90)] }),
    ];
    const [a, b] = withClaims(records, "another");
    assert.deepEqual([a?.memoryCap, a?.devices[0]?.memoryFree], [20, 60]);
    assert.deepEqual([b?.memoryCap, b?.devices[0]?.memoryFree], [50, 90]);
    assert.deepEqual(withClaims(records, "r"), records);
  });

  test("a head that is loaded before its ring is counts against its node's cap, though no longer as free memory", () => {
    const memory = { weights: 20, kvCache: 5, compute: 4, output: 1 };
    const stages = [{ ...planned("a", 25), phase: "loaded", memory }, planned("b", 40)];
    const rings = [ring("r", { state: "loading", stages })];
    const records = [sampleRecord({ id: "a", memoryCap: 50, devices: [device("cpu", 90)], rings })];
    const [a] = withClaims(records, "another");
    assert.deepEqual([a?.memoryCap, a?.devices[0]?.memoryFree], [20, 90]);
    assert.deepEqual(withClaims(records, "r"), records);
  });

  test("a plan counts what other models were promised, not the same model", () => {
    const stages = [planned("a", 30)];
    const rings = [ring("one", { state: "loading", stages }), ring("two", { state: "loading", stages })];
    const records = [sampleRecord({ id: "a", memoryCap: null, devices: [device("cpu", 90)], rings })];
    const freeFor = (spec: string | null) => withOtherClaims(records, spec)[0]?.devices[0]?.memoryFree;
    assert.deepEqual([freeFor("one"), freeFor("two"), freeFor("three"), freeFor(null)], [60, 60, 30, 30]);
  });

  test("without a ring its memory is free, on no device more than that has", () => {
    const memory = { weights: 60, kvCache: 10, compute: 10, output: 0 };
    const stage = { ringId: "r", epoch: 1, model: "m", stageIndex: 0, layerBegin: 0, layerEnd: 1, hasOutput: true };
    const record = sampleRecord({
      devices: [device("cpu", 10), device("gpu", 50)],
      stages: [{ ...stage, memory, work: NO_WORK }],
    });
    const [without] = withoutRings([record], new Set(["r"]));
    assert.deepEqual(without?.stages, []);
    assert.deepEqual(
      without?.devices.map(({ memoryFree }) => memoryFree),
      [40, 100],
    );
    assert.deepEqual(withoutRings([record], new Set(["other"])), [record]);
  });

  test("the ring that was used longest ago makes way first; one that is pinned or in use never does", () => {
    const rings = [
      ring("young", { idleSeconds: 5 }),
      ring("old", { idleSeconds: 50 }),
      ring("pinned", { idleSeconds: 500, pinned: true }),
      ring("answering", { idleSeconds: null }),
      ring("queued", { idleSeconds: 500, waitingRequests: 1 }),
      ring("loading", { idleSeconds: 500, state: "loading" }),
      ring("spared", { idleSeconds: 500 }),
    ];
    assert.deepEqual(
      evictableRings(rings, "spared").map(({ id }) => id),
      ["old", "young"],
    );
  });
});
