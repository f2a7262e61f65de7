import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HostPort } from "../../src/config/address.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import type { DiscoveredPeer, PeerIdentity } from "../../src/discovery/discovery.js";
import { StaticDiscovery } from "../../src/discovery/static.js";

const A: HostPort = { host: "a", port: 1 };
const B: HostPort = { host: "b", port: 1 };

/** Peers that answer as told, and a sleep that ends when the test says. */
class Scene {
  readonly answers = new Map<string, () => Promise<PeerIdentity>>();
  readonly pauses: number[] = [];
  readonly asked: string[] = [];
  readonly seen: DiscoveredPeer[] = [];
  #wake: (() => void)[] = [];
  readonly discovery: StaticDiscovery;

  constructor(peers: readonly HostPort[]) {
    this.discovery = new StaticDiscovery({
      peers,
      logger: silentLogger,
      probe: ({ host }) => {
        this.asked.push(host);
        return (this.answers.get(host) ?? unreachable)();
      },
      sleep: (milliseconds, signal) =>
        new Promise((resolve, reject) => {
          this.pauses.push(milliseconds);
          this.#wake.push(resolve);
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    this.discovery.onPeer((peer) => this.seen.push(peer));
  }

  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Ends every pause and lets what follows happen. */
  async pass(): Promise<void> {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
    await this.settle();
  }
}

const unreachable = (): Promise<PeerIdentity> =>
  Promise.reject(new ExoError("peer_unreachable", "Nothing answers at a:1."));
const answering = (name: string) => (): Promise<PeerIdentity> => Promise.resolve({ nodeId: `id-${name}`, name });

describe("static discovery", () => {
  test("asks with growing pauses until a peer answers, then announces it once", async () => {
    const scene = new Scene([A]);
    await scene.discovery.start();
    await scene.settle();
    assert.equal(scene.discovery.peers()[0]?.state, "searching");
    assert.equal(scene.discovery.peers()[0]?.reason, "Nothing answers at a:1.");
    await scene.pass();
    await scene.pass();
    assert.deepEqual(scene.pauses, [250, 500, 1000]);
    scene.answers.set("a", answering("a"));
    await scene.pass();
    await scene.pass();
    assert.equal(scene.asked.length, 4);
    assert.deepEqual(
      scene.seen.map(({ identity, state }) => [identity?.name, state]),
      [["a", "reachable"]],
    );
    await scene.discovery.stop();
  });

  test("lists a peer that cannot be used with the reason, and asks it again seldom", async () => {
    const scene = new Scene([A]);
    const reason = "a speaks protocol 2, this node speaks 1.";
    scene.answers.set("a", () => Promise.reject(new ExoError("peer_incompatible", reason)));
    await scene.discovery.start();
    await scene.settle();
    assert.deepEqual(
      scene.discovery.peers().map((peer) => [peer.state, peer.reason]),
      [["unused", reason]],
    );
    assert.deepEqual(scene.pauses, [15_000]);
    scene.answers.set("a", answering("a"));
    await scene.pass();
    assert.equal(scene.seen.length, 1);
    await scene.discovery.stop();
  });

  test("one silent peer does not delay another", async () => {
    const scene = new Scene([A, B]);
    scene.answers.set("a", () => new Promise(() => {}));
    scene.answers.set("b", answering("b"));
    await scene.discovery.start();
    await scene.settle();
    assert.deepEqual(
      scene.seen.map(({ identity }) => identity?.name),
      ["b"],
    );
  });

  test("a lost peer is searched and announced again", async () => {
    const scene = new Scene([A]);
    scene.answers.set("a", answering("a"));
    await scene.discovery.start();
    await scene.settle();
    scene.answers.set("a", unreachable);
    scene.discovery.lost(A, "a missed three heartbeats.");
    assert.equal(scene.discovery.peers()[0]?.reason, "a missed three heartbeats.");
    await scene.settle();
    scene.answers.set("a", answering("a"));
    await scene.pass();
    assert.equal(scene.seen.length, 2);
    await scene.discovery.stop();
  });

  test("a peer lost in the moment it is announced is searched again", async () => {
    const scene = new Scene([A]);
    scene.answers.set("a", answering("a"));
    let first = true;
    scene.discovery.onPeer(() => {
      if (first) scene.discovery.lost(A, "gone at once.");
      first = false;
    });
    await scene.discovery.start();
    await scene.settle();
    await scene.pass();
    assert.equal(scene.seen.length, 2);
    assert.equal(scene.discovery.peers()[0]?.state, "reachable");
    await scene.discovery.stop();
  });

  test("late listeners hear of peers already reached, until they unsubscribe", async () => {
    const scene = new Scene([A]);
    scene.answers.set("a", answering("a"));
    await scene.discovery.start();
    await scene.settle();
    const late: string[] = [];
    const unsubscribe = scene.discovery.onPeer((peer) => late.push(peer.address.host));
    unsubscribe();
    scene.discovery.lost(A, "lost.");
    await scene.settle();
    assert.deepEqual(late, ["a"]);
    await scene.discovery.stop();
  });

  test("stops in the middle of a pause, twice, and can start again", async () => {
    const scene = new Scene([A]);
    await scene.discovery.start();
    await scene.settle();
    await scene.discovery.stop();
    await scene.discovery.stop();
    const before = scene.asked.length;
    await scene.pass();
    assert.equal(scene.asked.length, before);
    scene.answers.set("a", answering("a"));
    await scene.discovery.start();
    await scene.settle();
    assert.equal(scene.seen.length, 1);
    await scene.discovery.stop();
  });
});
