import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { healRing, keptRanges } from "../../src/cluster/heal-ring.js";
import { modelRequest } from "../../src/cluster/model-request.js";
import type { NodeRecord } from "../../src/cluster/node-record.js";
import { placeRequest } from "../../src/cluster/place-request.js";
import type { PlaceQuestion } from "../../src/cluster/ring-planner.js";
import { SETTINGS } from "../support/manager-network.js";
import { bothWays, speedOf, speedsOf } from "../support/measured-cluster.js";
import { sampleRecord } from "../support/sample-record.js";
import { MIB, modelOf } from "./planning-models.js";

const LAYERS = 10;
const CONTEXT = 512;
const info = modelOf(new Array<number>(LAYERS).fill(10 * MIB));
const model = { id: "tiny", spec: "tiny", bytes: 1, hash: "", info, defaults: {} };

function node(id: string, mebibytes = 400, overrides: Partial<NodeRecord> = {}): NodeRecord {
  const memory = 2 * mebibytes * MIB;
  const device = { name: "CPU", description: "", kind: "cpu", memoryFree: memory, memoryTotal: memory } as const;
  return sampleRecord({ id, memoryCap: mebibytes * MIB, devices: [device], ...overrides });
}

function question(nodes: readonly NodeRecord[], change: Partial<PlaceQuestion["request"]> = {}): PlaceQuestion {
  const request = { ...modelRequest("tiny", { ...SETTINGS, strategy: "latency" }), contextSize: CONTEXT, ...change };
  return { model, request, nodes, speeds: null };
}

const place = (asked: PlaceQuestion) => placeRequest(asked, { nodeId: "", info: null });

const kept = [
  { nodeId: "a", layerBegin: 0, layerEnd: 4 },
  { nodeId: "c", layerBegin: 7, layerEnd: 10 },
];

const ranges = (placement: ReturnType<typeof healRing>) =>
  placement?.plan.stages.map(({ nodeId, layerBegin, layerEnd }) => `${layerBegin}-${layerEnd}@${nodeId}`).join();

describe("healRing", () => {
  test("an idle node takes the lost range, and the others keep theirs", () => {
    const healed = healRing({ question: question([node("a"), node("c"), node("d")], { head: "a" }), kept, place });
    assert.equal(ranges(healed), "0-4@a,4-7@d,7-10@c");
    assert.match(healed?.plan.reasons[0] ?? "", /layers 0-4, 7-10 stay where they are/);
  });

  test("a neighbour takes it where nobody is idle; it alone loads anew", () => {
    const healed = healRing({ question: question([node("a"), node("c")], { head: "a" }), kept, place });
    assert.ok(["0-7@a,7-10@c", "0-4@a,4-10@c"].includes(ranges(healed) ?? ""), ranges(healed));
  });

  test("what does not fit is not chosen", () => {
    const small = node("c", 45);
    const healed = healRing({ question: question([node("a"), small], { head: "a" }), kept, place });
    assert.equal(ranges(healed), "0-7@a,7-10@c");
    assert.equal(healRing({ question: question([node("a", 30), small], { head: "a" }), kept, place }), null);
  });

  test("the head stays, unless it is lost", () => {
    const left = kept.slice(1);
    const healed = healRing({ question: question([node("b"), node("c")]), kept: left, place });
    assert.ok(healed !== null);
    assert.equal(ranges(healed), "0-7@b,7-10@c");
    const asked = question([node("b"), node("c")], { head: "c" });
    assert.equal(healRing({ question: asked, kept: left, place })?.plan.head, "c");
  });

  test("another placement is loaded where it has made up for that within a minute", () => {
    const speeds = (seconds: number) =>
      speedsOf({ a: speedOf(LAYERS, seconds), c: speedOf(LAYERS, seconds), d: speedOf(LAYERS, 1) }, [
        ...bothWays("a", "c", 0.2),
        ...bothWays("a", "d", 0.2),
        ...bothWays("c", "d", 0.2),
      ]);
    const nodes = [node("a"), node("c"), node("d")];
    const alike = healRing({ question: { ...question(nodes), speeds: speeds(1.02) }, kept, place });
    assert.match(ranges(alike) ?? "", /7-10@c|0-4@a/);
    const slow = healRing({ question: { ...question(nodes), speeds: speeds(40) }, kept, place });
    assert.equal(ranges(slow), "0-10@d");
  });

  test("as many nodes take part as were asked for, where there are so many", () => {
    const asked = question([node("a"), node("c"), node("d")], { head: "a", minNodes: 3 });
    assert.equal(healRing({ question: asked, kept: [], place })?.plan.stages.length, 3);
  });
});

describe("keptRanges", () => {
  test("are those of the rings that are replaced, and of no ring with the same context", () => {
    const memory = { weights: 1, kvCache: 0, compute: 0, output: 0 };
    const work = { microBatches: 0, rows: 0, copies: 0, computeSeconds: 0, framesSent: 0, bytesSent: 0 };
    const range = { layerBegin: 4, layerEnd: 7, hasOutput: false, memory };
    const held = { ...range, epoch: 1, model: "tiny", stageIndex: 1, work };
    const loose = { ...range, ringId: "old", spec: "tiny", contextSize: CONTEXT, spare: false };
    const records = [
      node("a", 400, {
        stages: [
          { ...held, ringId: "ring" },
          { ...held, ringId: "other" },
        ],
      }),
      node("b", 400, { kept: [loose, { ...loose, contextSize: 1 }, { ...loose, spec: "another" }] }),
    ];
    assert.deepEqual(keptRanges(records, "tiny", new Set(["ring"]), CONTEXT), [
      { nodeId: "a", layerBegin: 4, layerEnd: 7 },
      { nodeId: "b", layerBegin: 4, layerEnd: 7 },
    ]);
  });
});
