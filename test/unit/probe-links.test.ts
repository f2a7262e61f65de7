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

/** How much longer the message of this number takes; seconds. */
type Disturbance = (message: number) => number;

/**
 * A link that takes so long for each message there and back, and passes so many bytes per second, one after the other
 * however many are under way. Its time is not real.
 */
class SimulatedLink {
  readonly sent: number[] = [];
  closed = 0;
  readonly #seconds: number;
  readonly #bytesPerSecond: number;
  readonly #disturbance: Disturbance;
  #now = 0;
  #freeAt = 0;

  constructor(seconds: number, bytesPerSecond: number, disturbance: Disturbance = () => 0) {
    this.#seconds = seconds;
    this.#bytesPerSecond = bytesPerSecond;
    this.#disturbance = disturbance;
  }

  async exchange(bytes: number): Promise<number> {
    this.sent.push(bytes);
    const begun = this.#now;
    this.#freeAt = Math.max(begun, this.#freeAt) + bytes / this.#bytesPerSecond + this.#disturbance(this.sent.length);
    const end = this.#freeAt + 2 * this.#seconds;
    await Promise.resolve();
    this.#now = Math.max(this.#now, end);
    return end - begun;
  }

  close(): void {
    this.closed += 1;
  }
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual / expected - 1) < 0.01, `${actual} is not about ${expected}`);
}

describe("a link", () => {
  test("has a time for small messages and a rate for large ones", async () => {
    const measured = await measureLink(new SimulatedLink(0.01, 1e6), 16_384);
    near(measured.seconds, 0.01);
    near(measured.bytesPerSecond, 1e6);
    assert.equal(measured.disturbed, false);
  });

  test("has a rate that its delay is no part of", async () => {
    for (const seconds of [0, 0.0001, 0.01, 0.3]) {
      const { bytesPerSecond } = await measureLink(new SimulatedLink(seconds, 5e7), 16_384);
      near(bytesPerSecond, 5e7);
    }
  });

  test("is measured with messages as large as activations are, several of them under way", async () => {
    for (const [rowBytes, largest] of [
      [64, 64 * 1024],
      [4096, 128 * 1024],
      [65_536, 256 * 1024],
    ] as const) {
      const link = new SimulatedLink(0.001, 1e9);
      await measureLink(link, rowBytes);
      assert.equal(Math.max(...link.sent), largest);
    }
  });

  test("that is slow is measured with few and smaller messages", async () => {
    const link = new SimulatedLink(1, 10_000);
    near((await measureLink(link, 16_384)).bytesPerSecond, 10_000);
    assert.ok(link.sent.length <= 12, `${link.sent.length} messages`);
    assert.ok(Math.max(...link.sent) < 64 * 1024);
  });

  test("that is too fast for a difference has a rate all the same", async () => {
    const { bytesPerSecond } = await measureLink(new SimulatedLink(0.001, Number.POSITIVE_INFINITY), 16_384);
    assert.ok(Number.isFinite(bytesPerSecond) && bytesPerSecond > 0);
  });

  test("is known as well where some messages are held up, and to have been disturbed", async () => {
    // In the last two of four rounds.
    const held = new SimulatedLink(0.01, 1e7, (message) => (message > 36 && message % 3 === 0 ? 0.15 : 0));
    const measured = await measureLink(held, 16_384);
    near(measured.seconds, 0.01);
    near(measured.bytesPerSecond, 1e7);
    assert.equal(measured.disturbed, true);
  });
});

class Peers {
  now = 0;
  busy = false;
  fails = false;
  disturbance: Disturbance = () => 0;
  seconds = 0.01;
  opened: string[] = [];
  readonly links: SimulatedLink[] = [];
  present = ["b", "c"];
  readonly probe = new LinkProbe({
    peers: () => this.present.map((id) => ({ id, name: id, address: { host: "127.0.0.1", port: 1 } })),
    onChange: () => () => {},
    open: ({ id }) => {
      this.opened.push(id);
      if (this.fails) throw new ExoError("peer_unreachable", "Nobody there.");
      const link = new SimulatedLink(this.seconds, 1e6, this.disturbance);
      this.links.push(link);
      return link;
    },
    busy: () => this.busy,
    rowBytes: () => 4096,
    clock: { monotonic: () => this.now, wall: () => 0 },
    logger: silentLogger,
    sleep: async (milliseconds) => {
      await new Promise((resolve) => setImmediate(resolve));
      this.now += milliseconds;
    },
  } satisfies LinkProbeOptions);

  get closed(): number {
    return this.links.reduce((sum, { closed }) => sum + closed, 0);
  }

  async round(): Promise<readonly string[]> {
    this.opened = [];
    await this.probe.round(NEVER);
    return this.opened;
  }
}

const MINUTE = 60_000;
const SECOND = 1000;

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

  test("waits while the node answers or measures a model, and not long", async () => {
    const peers = new Peers();
    peers.busy = true;
    assert.deepEqual(await peers.round(), []);
    assert.deepEqual(peers.probe.links(), []);
    peers.busy = false;
    peers.now += SECOND;
    assert.deepEqual(await peers.round(), ["b", "c"]);
  });

  test("measures a link again that was disturbed, and takes the best where it is never steady", async () => {
    const peers = new Peers();
    peers.present = ["b"];
    peers.disturbance = (message) => (message > 31 ? 0.2 : 0);
    await peers.round();
    near(peers.probe.links()[0]?.seconds ?? 0, 0.01);
    peers.now += 10 * SECOND;
    assert.deepEqual(await peers.round(), ["b"]);
    peers.disturbance = () => 0;
    peers.now += 10 * SECOND;
    assert.deepEqual(await peers.round(), ["b"]);
    peers.now += MINUTE;
    assert.deepEqual(await peers.round(), [], "it was steady at last");
    peers.disturbance = (message) => (message > 31 ? 0.2 : 0);
    for (const [seconds, expected] of [
      [0.03, 0.01],
      [0.02, 0.01],
      [0.04, 0.02],
    ] as const) {
      peers.seconds = seconds;
      peers.now += seconds === 0.03 ? 5 * MINUTE : 10 * SECOND;
      assert.deepEqual(await peers.round(), ["b"]);
      near(peers.probe.links()[0]?.seconds ?? 0, expected);
    }
    peers.now += MINUTE;
    assert.deepEqual(await peers.round(), []);
  });

  test("counts what was measured while the node got other work as disturbed", async () => {
    const peers = new Peers();
    peers.present = ["b"];
    peers.disturbance = () => {
      peers.busy = true;
      return 0;
    };
    await peers.round();
    assert.equal(peers.probe.links().length, 1);
    peers.busy = false;
    peers.now += 10 * SECOND;
    assert.deepEqual(await peers.round(), ["b"]);
  });

  test("can be waited for", async () => {
    const peers = new Peers();
    await peers.probe.start();
    await peers.probe.settled(10 * MINUTE, NEVER);
    assert.equal(peers.probe.links().length, 2);
    peers.present.push("d");
    peers.busy = true;
    const begun = peers.now;
    await peers.probe.stop();
    await peers.probe.settled(3 * SECOND, NEVER);
    assert.ok(peers.now - begun >= 3 * SECOND && peers.probe.links().length === 2, "not for ever");
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
