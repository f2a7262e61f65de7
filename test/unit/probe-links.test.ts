import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RingRecord } from "../../src/cluster/node-record.js";
import { emptyRingRecord, unplannedStageRecord } from "../../src/cluster/ring-record.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import { HOP_SECONDS } from "../../src/planning/ring/ring-problem.js";
import type { LinkSpeed } from "../../src/planning/speeds.js";
import { HopOverhead } from "../../src/runtime/probe/hop-overhead.js";
import { measureLink } from "../../src/runtime/probe/link-measure.js";
import { LinkProbe, type LinkProbeOptions } from "../../src/runtime/probe/link-probe.js";

const NEVER = new AbortController().signal;

/** A link that takes so long for each message and so long for each byte, the answer included. */
function link(seconds: number, bytesPerSecond: number) {
  const sent: number[] = [];
  return {
    sent,
    exchange: async (bytes: number): Promise<number> => {
      sent.push(bytes);
      return 2 * seconds + bytes / bytesPerSecond;
    },
    close: () => {},
  };
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual / expected - 1) < 0.01, `${actual} is not about ${expected}`);
}

describe("a link", () => {
  test("has a time for small messages and a rate for large ones", async () => {
    const measured = await measureLink(link(0.01, 1e6), 16_384);
    near(measured.seconds, 0.01);
    near(measured.bytesPerSecond, 1e6);
  });

  test("is measured with messages as large as activations are", async () => {
    for (const [rowBytes, largest] of [
      [64, 64 * 1024],
      [4096, 128 * 1024],
      [65_536, 256 * 1024],
    ] as const) {
      const stream = link(0.001, 1e9);
      await measureLink(stream, rowBytes);
      assert.equal(Math.max(...stream.sent), largest);
    }
  });

  test("that is slow is measured with few messages", async () => {
    const stream = link(1, 10_000);
    await measureLink(stream, 16_384);
    assert.ok(stream.sent.length <= 6, `${stream.sent.length} messages`);
  });

  test("that is too fast for a difference has a rate all the same", async () => {
    const { bytesPerSecond } = await measureLink(link(0.001, Number.POSITIVE_INFINITY), 16_384);
    assert.ok(Number.isFinite(bytesPerSecond) && bytesPerSecond > 0);
  });
});

class Peers {
  now = 0;
  busy = false;
  fails = false;
  opened: string[] = [];
  closed = 0;
  present = ["b", "c"];
  readonly probe = new LinkProbe({
    peers: () => this.present.map((id) => ({ id, name: id, address: { host: "127.0.0.1", port: 1 } })),
    onChange: () => () => {},
    open: ({ id }) => {
      this.opened.push(id);
      if (this.fails) throw new ExoError("peer_unreachable", "Nobody there.");
      return { ...link(0.01, 1e6), close: () => (this.closed += 1) };
    },
    busy: () => this.busy,
    rowBytes: () => 4096,
    clock: { monotonic: () => this.now, wall: () => 0 },
    logger: silentLogger,
  } satisfies LinkProbeOptions);

  async round(): Promise<readonly string[]> {
    this.opened = [];
    await this.probe.round(NEVER);
    return this.opened;
  }
}

const MINUTE = 60_000;

describe("the link probe", () => {
  test("measures every peer when it appears, and again after some minutes", async () => {
    const peers = new Peers();
    assert.deepEqual(await peers.round(), ["b", "c"]);
    assert.deepEqual(
      peers.probe.links().map(({ to }) => to),
      ["b", "c"],
    );
    near(peers.probe.links()[0]?.seconds ?? 0, 0.01);
    assert.deepEqual(await peers.round(), []);
    peers.now += 2 * MINUTE;
    peers.present.push("d");
    assert.deepEqual(await peers.round(), ["d"]);
    peers.now += 4 * MINUTE;
    assert.deepEqual(await peers.round(), ["b", "c"]);
    assert.equal(peers.closed, 5);
  });

  test("waits while the node answers", async () => {
    const peers = new Peers();
    peers.busy = true;
    assert.deepEqual(await peers.round(), []);
    assert.deepEqual(peers.probe.links(), []);
    peers.busy = false;
    peers.now += MINUTE;
    assert.deepEqual(await peers.round(), ["b", "c"]);
  });

  test("keeps what it knows of a link that cannot be measured now, and tries again soon", async () => {
    const peers = new Peers();
    await peers.round();
    peers.fails = true;
    peers.now += 6 * MINUTE;
    assert.deepEqual(await peers.round(), ["b", "c"]);
    assert.equal(peers.probe.links().length, 2);
    peers.now += MINUTE / 2;
    assert.deepEqual(await peers.round(), ["b", "c"]);
  });

  test("forgets a peer that left, and measures it anew when it comes back", async () => {
    const peers = new Peers();
    await peers.round();
    peers.present = ["c"];
    await peers.round();
    assert.deepEqual(
      peers.probe.links().map(({ to }) => to),
      ["c"],
    );
    peers.present = ["b", "c"];
    assert.deepEqual(await peers.round(), ["b"]);
  });

  test("starts and stops, also in the middle of a wait", async () => {
    const peers = new Peers();
    await peers.probe.start();
    await peers.probe.stop();
    await peers.probe.stop();
    assert.ok(peers.closed >= peers.opened.length, "no stream stays open");
  });
});

describe("what a hop takes beyond its link", () => {
  const links: readonly LinkSpeed[] = [
    { from: "a", to: "b", seconds: 0.001, bytesPerSecond: 1e12 },
    { from: "b", to: "a", seconds: 0.003, bytesPerSecond: 1e12 },
  ];

  function ring(p50: number, samples = 100): RingRecord {
    return {
      ...emptyRingRecord({ id: "r", spec: "demo", replica: 0, proposedBy: "a", pinned: false }),
      stages: ["a", "b"].map((id) => unplannedStageRecord({ id, name: id })),
      hops: { samples, p50, p99: 100 },
    };
  }

  test("is learned from real rings", () => {
    const overhead = new HopOverhead();
    assert.equal(overhead.seconds, HOP_SECONDS);
    for (let round = 0; round < 40; round += 1) overhead.learn(ring(3), links);
    near(overhead.seconds, 0.001);
  });

  test("is never negative, and not believed beyond reason", () => {
    const overhead = new HopOverhead();
    for (let round = 0; round < 40; round += 1) overhead.learn(ring(0.5), links);
    assert.ok(overhead.seconds >= 0 && overhead.seconds < 1e-6, String(overhead.seconds));
    for (let round = 0; round < 40; round += 1) overhead.learn(ring(10_000), links);
    assert.ok(overhead.seconds <= 0.01);
  });

  test("is not learned from few ways round, unknown links or a single node", () => {
    const overhead = new HopOverhead();
    overhead.learn(ring(5, 3), links);
    overhead.learn(ring(5), links.slice(1));
    overhead.learn({ ...ring(5), stages: [] }, links);
    overhead.learn({ ...ring(5), hops: null }, links);
    assert.equal(overhead.seconds, HOP_SECONDS);
  });
});
