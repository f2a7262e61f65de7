import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeldStage } from "../../src/cluster/node-record.js";
import { type PlaceableNode, type PlaceOptions, place, placeCopies, withoutStages } from "../../src/cluster/place.js";
import { bothWays, speedOf, speedsOf } from "../support/measured-cluster.js";
import { MIB, modelOf, nodeOf } from "./planning-models.js";

const LAYERS = 10;
const model = { id: "tiny", info: modelOf(new Array<number>(LAYERS).fill(10 * MIB), { contextTrained: 4096 }) };

function node(id: string, mebibytes: number): PlaceableNode {
  const { devices, ...rest } = nodeOf(id, mebibytes * MIB);
  return { ...rest, stages: [], devices: devices.map((device) => ({ ...device, description: "" })) };
}

function optionsOf(options: Partial<PlaceOptions>): PlaceOptions {
  return {
    model,
    nodes: [node("a", 400), node("b", 400)],
    ring: {
      slots: 1,
      batchSize: 32,
      microBatchSize: 32,
      kvTypeK: "f16",
      kvTypeV: "f16",
      flashAttention: "auto",
      wireType: "f32",
    },
    contextSize: null,
    layers: null,
    besideHead: null,
    strategy: "latency",
    speeds: null,
    minNodes: 1,
    head: null,
    ...options,
  };
}

const placed = (options: Partial<PlaceOptions>) => place(optionsOf(options));

const SPEEDS = speedsOf({ a: speedOf(LAYERS, 4), b: speedOf(LAYERS, 1) }, bothWays("a", "b", 0.2));

describe("placing a model over nodes", () => {
  test("takes the context it was trained for, or as much as fits", () => {
    assert.equal(placed({}).ring.contextSize, 4096);
    const { plan, ring } = placed({ nodes: [node("a", 138)] });
    assert.ok(ring.contextSize < 4096 && ring.contextSize >= 512, String(ring.contextSize));
    assert.equal(plan.stages.length, 1);
    assert.throws(() => placed({ nodes: [node("a", 138)], contextSize: 4096 }), { code: "out_of_memory" });
  });

  test("by memory while nothing is measured, by speed afterwards", () => {
    assert.equal(placed({}).plan.strategy, "memory-weighted");
    const { plan } = placed({ speeds: SPEEDS });
    assert.deepEqual([plan.strategy, plan.head, plan.stages.length], ["latency", "b", 1]);
    assert.equal(placed({ speeds: SPEEDS, strategy: "memory-weighted" }).plan.stages.length, 2);
  });

  test("keeps to the head that it is told, and to as many nodes as are asked for", () => {
    assert.equal(placed({ speeds: SPEEDS, head: "a" }).plan.head, "a");
    assert.equal(placed({ speeds: SPEEDS, minNodes: 2 }).plan.stages.length, 2);
    const layers = [{ node: "b", begin: 0, end: LAYERS }];
    assert.throws(() => placed({ layers, head: "a" }), /puts layer 0 on b, which is then the head/);
    assert.equal(placed({ layers }).plan.head, "b");
  });

  test("leaves room on the head, whichever it is, for the model that drafts", () => {
    const besideHead = modelOf([250 * MIB]);
    const { plan } = placed({ speeds: SPEEDS, besideHead, contextSize: 512 });
    const [head] = plan.stages;
    assert.ok(head !== undefined && plan.stages.length > 1);
    assert.ok(head.memory.weights + 280 * MIB <= 400 * MIB, String(head.memory.weights / MIB));
  });

  test("each copy leaves room for the model that drafts, too", () => {
    const speeds = speedsOf({ a: speedOf(LAYERS, 1), b: speedOf(LAYERS, 1) }, bothWays("a", "b", 0.2));
    const request = optionsOf({ speeds, strategy: "throughput", ring: { ...optionsOf({}).ring, slots: 2 } });
    assert.equal(placeCopies(request, 512).plans.length, 2);
    assert.equal(placeCopies({ ...request, besideHead: modelOf([250 * MIB]) }, 512).plans.length, 1);
  });

  test("what other rings took of a node's cap is not given twice", () => {
    const memory = { weights: 300 * MIB, kvCache: 0, compute: 0, output: 0 };
    const work = { microBatches: 0, rows: 0, copies: 0, computeSeconds: 0, framesSent: 0, bytesSent: 0 };
    const held: HeldStage = {
      ringId: "r",
      epoch: 1,
      model: "other",
      stageIndex: 0,
      layerBegin: 0,
      layerEnd: 1,
      hasOutput: true,
      memory,
      work,
    };
    const busy = { ...node("a", 400), stages: [held] };
    assert.throws(() => placed({ nodes: [busy], contextSize: 512 }), { code: "out_of_memory" });
    const [freed] = withoutStages([busy], (stage) => stage.ringId === "r");
    assert.ok(freed !== undefined);
    assert.equal(placed({ nodes: [freed], contextSize: 512 }).plan.stages.length, 1);
  });
});

describe("placing a model that takes texts whole", () => {
  const texts = { pooling: "mean", wholeTexts: true, encoder: true } as const;
  const encoder = { id: "bge", info: { ...model.info, contextTrained: 512, texts } };

  test("gives it micro-batches as long as its context", () => {
    const { ring } = placed({ model: encoder });
    assert.deepEqual([ring.contextSize, ring.batchSize, ring.microBatchSize], [512, 512, 512]);
  });

  test("gives it no more context than it was trained for, whatever is asked", () => {
    assert.equal(placed({ model: encoder, contextSize: 4096 }).ring.contextSize, 512);
    const { ring } = placed({ model: encoder, contextSize: 100 });
    assert.deepEqual([ring.contextSize, ring.batchSize], [100, 100]);
  });

  test("stays within what a frame may hold", () => {
    const wide = { ...encoder, info: { ...encoder.info, contextTrained: 8192, embeddingSize: 8192 } };
    assert.equal(placed({ model: wide, nodes: [node("a", 40_000)] }).ring.batchSize, 4096);
  });
});
