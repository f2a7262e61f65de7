import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseActivity } from "../../src/web/api/activity-document.js";
import { activityBetween, countsOf, dotSeconds } from "../../src/web/cluster/activity.js";
import { ActivityMeter } from "../../src/web/cluster/activity-meter.js";
import { changesBetween, listed } from "../../src/web/cluster/changes.js";
import { memoryFill } from "../../src/web/cluster/memory-fill.js";
import {
  errorText,
  linkTimes,
  millisecondsText,
  ringBadges,
  ringStateText,
  stageState,
  whyUnused,
} from "../../src/web/cluster/ring-facts.js";
import { MOST_AROUND, ringGeometry } from "../../src/web/cluster/ring-geometry.js";
import { heldStage, webCluster, webNode, webRing, webStage } from "../support/web-cluster.js";

const TWO = [webStage("desk", 0, 6), webStage("laptop", 6, 10)];

describe("the drawing of a ring", () => {
  test("a ring of one stands in the middle and has no hops; none is nothing", () => {
    assert.deepEqual(ringGeometry(1), { stages: [{ x: 50, y: 50 }], edges: [] });
    assert.deepEqual(ringGeometry(0), { stages: [], edges: [] });
  });

  test("two stand side by side, the head at the left, with one hop above and one below", () => {
    const { stages, edges } = ringGeometry(2);
    assert.deepEqual(
      stages.map(({ x, y }) => [x < 50, y]),
      [
        [true, 50],
        [false, 50],
      ],
    );
    assert.ok((edges[0]?.middle.y ?? 50) < 50 && (edges[1]?.middle.y ?? 50) > 50);
    assert.deepEqual([edges[0]?.direction, Math.abs(edges[1]?.direction ?? 0)], [0, 180]);
  });

  test("of more the head is at the top, and the ring goes clockwise and closes", () => {
    for (let count = 3; count <= MOST_AROUND; count += 1) {
      const { stages, edges } = ringGeometry(count);
      assert.deepEqual([stages.length, edges.length], [count, count]);
      assert.ok(stages.every(({ y }) => y >= (stages[0]?.y ?? 0)));
      assert.ok((stages[1]?.x ?? 0) > 50, "clockwise");
      for (const { x, y } of [...stages, ...edges.map(({ middle }) => middle)]) {
        assert.ok(x >= 10 && x <= 90 && y >= 10 && y <= 90, `${x} ${y} is inside`);
      }
      const closing = `${stages[0]?.x} ${stages[0]?.y}`;
      assert.ok(edges.at(-1)?.path.endsWith(closing));
    }
  });
});

describe("what fills a node's memory", () => {
  test("rings first, then what others take, then what is free, and all together the whole", () => {
    const [node] = webCluster([webNode("desk", { stages: [heldStage(0)] })]).nodes;
    assert.ok(node !== undefined);
    const parts = memoryFill(node);
    const mib = parts.map(({ kind, bytes }) => [kind, bytes / 2 ** 20]);
    assert.deepEqual(mib, [
      ["weights", 300],
      ["kv", 100],
      ["compute", 50],
      ["other", 2048 - 450],
      ["free", 6144],
    ]);
    assert.ok(Math.abs(parts.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
  });

  test("mapped weights that the system counts as free are taken all the same; nothing is negative", () => {
    const devices = [{ name: "CPU", memory_total: 2 ** 30, memory_free: 2 ** 30 }];
    const [node] = webCluster([webNode("desk", { devices, stages: [heldStage(0)] })]).nodes;
    assert.ok(node !== undefined);
    const parts = new Map(memoryFill(node).map(({ kind, bytes }) => [kind, bytes]));
    assert.equal(parts.get("other"), 0);
    assert.equal(parts.get("free"), 2 ** 30 - 450 * 2 ** 20);
    const [bare] = webCluster([webNode("desk", { devices: [] })]).nodes;
    assert.deepEqual(bare === undefined ? null : memoryFill(bare), []);
  });
});

describe("what happened between two looks", () => {
  const before = webCluster([webNode("desk"), webNode("laptop")], [webRing(TWO)]);

  test("nothing when nothing changed but numbers", () => {
    const after = webCluster([webNode("desk"), webNode("laptop")], [webRing(TWO, { busy_slots: 1 })]);
    assert.deepEqual(changesBetween(before, after), []);
  });

  test("a node that is suspected, lost, back, new, gone from the list", () => {
    const as = (more: object) => webCluster([webNode("desk"), webNode("laptop", more)], [webRing(TWO)]);
    const suspected = as({ state: "suspect" });
    const lost = as({ state: "gone", reason: "It missed three heartbeats." });
    assert.deepEqual(changesBetween(before, suspected), ["laptop does not answer; it may be lost."]);
    assert.deepEqual(changesBetween(suspected, lost), ["laptop is lost: It missed three heartbeats."]);
    assert.deepEqual(changesBetween(lost, before), ["laptop is back."]);
    const alone = webCluster([webNode("desk")], [webRing(TWO)]);
    assert.deepEqual(changesBetween(alone, before), ["laptop has joined the cluster."]);
    assert.deepEqual(changesBetween(before, alone), ["laptop has left the cluster."]);
    assert.deepEqual(changesBetween(lost, alone), [], "that it is lost was said before");
  });

  test("strangers come and go without a word", () => {
    const stranger = webNode("attic", { state: "refused", reason: "Another version." });
    const after = webCluster([webNode("desk"), webNode("laptop"), stranger], [webRing(TWO)]);
    assert.deepEqual(changesBetween(before, after), []);
    assert.deepEqual(changesBetween(after, before), []);
  });

  test("rings that load, fail, form again and go", () => {
    const nodes = [webNode("desk"), webNode("laptop")];
    const loading = webCluster(nodes, [webRing(TWO, { state: "loading", epoch: 2, reason: "laptop was lost." })]);
    const again = webCluster(nodes, [webRing([webStage("desk", 0, 10)], { epoch: 3 })]);
    const failed = webCluster(nodes, [webRing([], { state: "failed", reason: "It does not fit." })]);
    assert.deepEqual(changesBetween(before, loading), ["tiny is being loaded: laptop was lost."]);
    assert.deepEqual(changesBetween(loading, again), ["tiny is ready on desk."]);
    assert.deepEqual(changesBetween(again, failed), ["tiny does not run: It does not fit."]);
    const waiting = webCluster(nodes, [
      webRing([], { state: "waiting", reason: "Waiting for nodes: 1 of 2 are here." }),
    ]);
    assert.deepEqual(changesBetween(before, waiting), ["tiny waits: Waiting for nodes: 1 of 2 are here."]);
    assert.deepEqual(waiting.rings.map(ringStateText), ["waiting"]);
    assert.deepEqual(changesBetween(before, webCluster(nodes)), ["tiny is no longer loaded."]);
    assert.deepEqual(changesBetween(webCluster(nodes), before), ["tiny is ready on desk and laptop."]);
  });

  test("names in a row", () => {
    assert.deepEqual([listed([]), listed(["a"]), listed(["a", "b", "c"])], ["no node", "a", "a, b and c"]);
  });
});

describe("what flows in a ring", () => {
  const look = (desk: number, laptop: number, more: object = {}, epoch = 1) =>
    countsOf(
      webCluster(
        [
          webNode("desk", { stages: [heldStage(desk, desk / 8)] }),
          webNode("laptop", { stages: [heldStage(laptop, laptop / 8)] }),
        ],
        [webRing(TWO, { epoch, ...more })],
      ),
    );

  test("is what nodes counted between two looks", () => {
    const before = look(4, 4, { tokens: { generated: 10 } });
    const after = look(8, 6, { tokens: { generated: 16 }, hop_ms: [0.7, null] });
    const busy = activityBetween(before, after, 2).get("r1");
    assert.deepEqual(busy, { flows: true, tokensPerSecond: 3, busy: [0.25, 0.125], hops: [0.7, null] });
    const idle = activityBetween(after, after, 2).get("r1");
    assert.deepEqual([idle?.flows, idle?.tokensPerSecond, idle?.hops], [false, 0, [0.7, null]]);
  });

  test("is not known where nobody tells of tokens, of a stage that was away, or of two looks at once", () => {
    assert.equal(activityBetween(look(4, 4), look(8, 8), 1).get("r1")?.tokensPerSecond, null);
    const [ring] = look(4, 4);
    assert.ok(ring !== undefined);
    const alone = [{ ...ring, stages: ring.stages.slice(0, 1) }];
    assert.deepEqual(activityBetween(alone, look(5, 9), 1).get("r1")?.busy, [0.125, null]);
    assert.deepEqual(activityBetween(look(1, 1), look(2, 2), 0).get("r1")?.busy, [null, null]);
  });

  test("begins anew with a ring that is new or placed anew", () => {
    assert.equal(activityBetween([], look(3, 3), 1).get("r1")?.flows, false);
    assert.equal(activityBetween(look(3, 3), look(9, 9, {}, 2), 1).get("r1")?.flows, false);
  });

  test("is told by the node too, only while there is something to tell", () => {
    const event = (generated: number, microBatches: number) =>
      parseActivity({
        rings: [
          {
            id: "r1",
            epoch: 1,
            tokens: { generated },
            stages: [{ node_id: "desk", busy_seconds: microBatches / 8, micro_batches: microBatches }],
            hops: [{ from_stage: 0, to_stage: 1, latest_ms: 0.7 }, {}],
          },
        ],
      });
    const meter = new ActivityMeter();
    assert.equal(meter.add(event(0, 0), 10).get("r1")?.flows, false);
    const told = meter.add(event(3, 2), 10.5).get("r1");
    assert.deepEqual(told, { flows: true, tokensPerSecond: 6, busy: [0.5], hops: [0.7, null] });
    assert.deepEqual(meter.add(event(4, 3), 10.6).get("r1"), told, "too soon to say anything");
    assert.equal(meter.add(event(5, 4), 60).get("r1")?.tokensPerSecond, 2, "what was silent did nothing");
    assert.deepEqual(meter.idle().get("r1"), { flows: false, tokensPerSecond: 0, busy: [], hops: [0.7, null] });
    meter.restart();
    assert.equal(meter.add(event(500, 400), 61).get("r1")?.flows, false, "the first word tells where the counts stand");
    assert.deepEqual(parseActivity("nonsense"), []);
  });

  test("dots are faster in faster rings, and always so that eyes can follow", () => {
    assert.ok(dotSeconds(4) > dotSeconds(10));
    assert.deepEqual([dotSeconds(null), dotSeconds(0), dotSeconds(1), dotSeconds(1000)], [1.5, 1.5, 1.5, 0.3]);
  });
});

describe("facts of a ring", () => {
  test("a stage is as its node is, else as far as it is loaded", () => {
    const cluster = webCluster(
      [
        webNode("desk"),
        webNode("laptop", { state: "gone", reason: "No heartbeat." }),
        webNode("attic", { state: "suspect" }),
      ],
      [
        webRing(
          [
            webStage("desk", 0, 4, { phase: "fetch", progress: 0.255 }),
            webStage("laptop", 4, 8),
            webStage("attic", 8, 10),
          ],
          {
            state: "loading",
          },
        ),
      ],
    );
    const [ring] = cluster.rings;
    assert.ok(ring !== undefined);
    const states = ring.stages.map((stage) =>
      stageState(
        stage,
        ring,
        cluster.nodes.find(({ id }) => id === stage.nodeId),
      ),
    );
    assert.deepEqual(states, [
      { kind: "loading", text: "fetching 25 %" },
      { kind: "lost", text: "lost: No heartbeat." },
      { kind: "suspected", text: "suspected" },
    ]);
    const [first] = ring.stages;
    assert.ok(first !== undefined);
    assert.equal(stageState(first, ring, undefined).kind, "lost");
    assert.equal(stageState(first, { ...ring, state: "ready" }, cluster.nodes[0]).text, "ready");
  });

  test("times of the ways, the last one's leading back", () => {
    const links = [{ from: "laptop", to: "desk", one_way_ms: 0.75, bytes_per_second: 1e8 }];
    const cluster = webCluster([webNode("desk"), webNode("laptop")], [webRing(TWO)], links);
    const [ring] = cluster.rings;
    assert.deepEqual(ring === undefined ? [] : linkTimes(cluster, ring), [null, 0.75]);
    assert.deepEqual([0.04, 0.75, 1.27, 12.4].map(millisecondsText), ["0.04 ms", "0.75 ms", "1.3 ms", "12 ms"]);
  });

  test("badges tell what is not as usual", () => {
    const [ring] = webCluster([], [webRing(TWO, { epoch: 3, waiting_requests: 2, pinned: true })]).rings;
    assert.deepEqual(ring === undefined ? [] : ringBadges(ring), [
      "10 layers",
      "context 256",
      "0 of 2 slots busy",
      "2 waiting",
      "epoch 3",
      "pinned",
    ]);
  });

  test("why a node got no layers", () => {
    const plan = ["desk holds it all.", "laptop is not used: with it one answer would be slower."];
    const cluster = webCluster([webNode("desk"), webNode("laptop")], [webRing([webStage("desk", 0, 10)], { plan })]);
    assert.deepEqual(
      cluster.nodes.map((node) => whyUnused(node, cluster.rings)),
      [[], ["Not used for tiny: with it one answer would be slower."]],
    );
  });

  test("how far a prediction was off", () => {
    assert.equal(errorText(12, 10, "faster"), "predicted 20 % too fast");
    assert.equal(errorText(12, 10, "slower"), "predicted 20 % too slow");
    assert.equal(errorText(8, 10, "slower"), "predicted 20 % too fast");
    assert.equal(errorText(10, 10, "faster"), "as predicted");
    assert.equal(errorText(233, 10, "faster"), "predicted much faster than measured");
    assert.equal(errorText(1, 10, "faster"), "predicted much slower than measured");
    assert.equal(errorText(1, 10, "slower"), "predicted much faster than measured");
    assert.deepEqual(
      [errorText(null, 10, "faster"), errorText(10, null, "faster"), errorText(10, 0, "faster")],
      ["", "", ""],
    );
  });
});
