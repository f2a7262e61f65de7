import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ClusterSnapshot } from "../../src/api/cluster-snapshot.js";
import { clusterActivity } from "../../src/api/events/cluster-activity.js";
import { ClusterFeed } from "../../src/api/events/cluster-feed.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";
import { ExoError } from "../../src/core/errors.js";
import { ManualTime, settled } from "../support/manual-time.js";
import { sampleRecord } from "../support/sample-record.js";

interface Sent {
  readonly event: string | undefined;
  readonly data: unknown;
}

/** A reader that takes an event whenever the test lets it. */
function reader() {
  const sent: Sent[] = [];
  let take = (): void => {};
  let holds = false;
  return {
    sent,
    hold: () => {
      holds = true;
    },
    release: () => {
      holds = false;
      take();
    },
    stream: {
      async send(data: unknown, event?: string): Promise<void> {
        if (holds) {
          await new Promise<void>((resolve) => {
            take = resolve;
          });
        }
        sent.push({ event, data });
      },
    },
  };
}

function snapshotOf(rings: number): ClusterSnapshot {
  const ring = { id: "r", epoch: 1, model: "m", state: "ready" as const, reason: null, progress: 1, idle_seconds: 0 };
  const shape = { layer_count: 1, context_size: 1, stages: [] };
  return {
    node: { id: "a", name: "a", version: "0" },
    nodes: [],
    rings: Array.from({ length: rings }, () => ({ ...ring, ...shape })),
  };
}

function feedOf() {
  const time = new ManualTime();
  const state = { snapshot: snapshotOf(1), generated: 0 };
  const feed = new ClusterFeed({
    snapshot: () => state.snapshot,
    activity: () => ({ rings: state.generated === 0 ? [] : [activityOf(state.generated)] }),
    everyMilliseconds: 1_000_000,
    clock: time,
  });
  return { feed, state, time };
}

function activityOf(generated: number) {
  const tokens = { prompt: 0, cached: 0, generated, accepted_draft: 0, rejected_draft: 0 };
  const load = { busy_slots: 0, waiting_requests: 0, micro_batches_under_way: 0 };
  return { id: "r", epoch: 1, model: "m", tokens, ...load, stages: [], hops: [] };
}

describe("the events of a cluster", () => {
  test("begin with the whole document, and go on when it changes", async () => {
    const { feed, state } = feedOf();
    const { stream, sent } = reader();
    const stop = new AbortController();
    const serving = feed.serve(stream, stop.signal);
    await settled();
    assert.deepEqual(
      sent.map(({ event }) => event),
      ["cluster", "activity"],
    );
    assert.deepEqual(sent[0]?.data, state.snapshot);
    sent.splice(0);
    feed.look();
    await settled();
    assert.deepEqual(sent, [], "nothing happened");
    state.snapshot = snapshotOf(2);
    feed.look();
    await settled();
    assert.deepEqual(sent, [{ event: "cluster", data: state.snapshot }]);
    sent.splice(0);
    state.generated = 5;
    feed.look();
    await settled();
    assert.deepEqual(
      sent.map(({ event }) => event),
      ["activity"],
    );
    stop.abort();
    await serving;
    assert.equal(feed.clients, 0);
  });

  test("do not tell again what changes by itself, but for every ten seconds", async () => {
    const { feed, state, time } = feedOf();
    const { stream, sent } = reader();
    const stop = new AbortController();
    const serving = feed.serve(stream, stop.signal);
    await settled();
    sent.splice(0);
    for (let second = 1; second <= 9; second += 1) {
      const [ring] = snapshotOf(1).rings;
      assert.ok(ring !== undefined);
      state.snapshot = { ...snapshotOf(0), rings: [{ ...ring, idle_seconds: second }] };
      await time.advance(1000);
      feed.look();
    }
    await settled();
    assert.deepEqual(sent, []);
    await time.advance(1000);
    feed.look();
    await settled();
    assert.equal(sent.length, 1);
    stop.abort();
    await serving;
  });

  test("that a slow reader missed are left out: it skips to the newest", async () => {
    const { feed, state } = feedOf();
    const slow = reader();
    const stop = new AbortController();
    const serving = feed.serve(slow.stream, stop.signal);
    await settled();
    slow.hold();
    slow.sent.splice(0);
    for (let rings = 2; rings < 100; rings += 1) {
      state.snapshot = snapshotOf(rings);
      state.generated = rings;
      feed.look();
      await settled();
    }
    assert.equal(slow.sent.length, 0);
    slow.release();
    await settled();
    await settled();
    assert.ok(slow.sent.length <= 3, `${slow.sent.length} events`);
    const [newest] = slow.sent.filter(({ event }) => event === "cluster").slice(-1);
    assert.deepEqual(newest?.data, snapshotOf(99));
    stop.abort();
    await serving;
  });

  test("are for a bounded number of readers, and a reader that leaves makes room", async () => {
    const { feed } = feedOf();
    const gone = new ExoError("cancelled", "The client went away.");
    const failing = feed.serve({ send: () => Promise.reject(gone) }, new AbortController().signal);
    await assert.rejects(failing, { code: "cancelled" });
    const stops = Array.from({ length: 64 }, () => new AbortController());
    const serving = stops.map(({ signal }) => feed.serve(reader().stream, signal));
    assert.throws(() => feed.checkRoom(), { code: "overloaded" });
    for (const stop of stops) stop.abort();
    await Promise.all(serving);
    feed.checkRoom();
  });
});

describe("what flows through rings", () => {
  test("is told by stage and hop, of rings that are ready", () => {
    const empty = emptyRingRecord({ id: "r", spec: "m", replica: 0, proposedBy: "a", pinned: false });
    const tokens = { prompt: 9, cached: 4, generated: 30, acceptedDraft: 2, rejectedDraft: 1 };
    const ring = { ...empty, state: "ready" as const, epoch: 3, tokens, hopMs: [0.4, 0.6], busySlots: 1 };
    const memory = { weights: 0, kvCache: 0, compute: 0, output: 0 };
    const stage = (stageIndex: number, epoch = 3) => ({
      ringId: "r",
      epoch,
      model: "m",
      stageIndex,
      layerBegin: 0,
      layerEnd: 1,
      hasOutput: stageIndex === 0,
      memory,
      work: { microBatches: 5, rows: 6, copies: 0, computeSeconds: 1.5, framesSent: 5, bytesSent: 700 },
    });
    const head = sampleRecord({ id: "a", rings: [ring, { ...empty, id: "x" }], stages: [stage(0)] });
    const worker = sampleRecord({ id: "b", stages: [stage(1), stage(1, 2)] });
    const { rings } = clusterActivity([head, worker]);
    assert.deepEqual(
      rings.map(({ id }) => id),
      ["r"],
    );
    assert.equal(rings[0]?.tokens.generated, 30);
    assert.deepEqual(
      rings[0]?.stages.map((one) => [one.node_id, one.stage, one.busy_seconds, one.bytes_sent]),
      [
        ["a", 0, 1.5, 700],
        ["b", 1, 1.5, 700],
      ],
    );
    assert.deepEqual(rings[0]?.hops, [
      { from_stage: 0, to_stage: 1, latest_ms: 0.4 },
      { from_stage: 1, to_stage: 0, latest_ms: 0.6 },
    ]);
  });
});
