import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatHostPort, type HostPort } from "../../src/config/address.js";
import { ExoError } from "../../src/core/errors.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import type { DiscoveredPeer, ProbedPeer } from "../../src/discovery/discovery.js";
import { PeerSearch } from "../../src/discovery/peer-search.js";
import type { Offer } from "../../src/discovery/peer-source.js";
import { ManualTime, settled } from "../support/manual-time.js";

const A: HostPort = { host: "a", port: 1 };
const B: HostPort = { host: "b", port: 1 };

/** Peers that answer as told, and time that passes when the test says. */
class Scene {
  readonly answers = new Map<string, () => Promise<ProbedPeer>>();
  readonly asked: string[] = [];
  readonly seen: DiscoveredPeer[] = [];
  readonly warnings: string[] = [];
  readonly time = new ManualTime();
  readonly search: PeerSearch;

  constructor() {
    const logger: Logger = { ...silentLogger, warn: (_, message) => this.warnings.push(message) };
    this.search = new PeerSearch({
      logger,
      probe: ({ host }) => {
        this.asked.push(host);
        return (this.answers.get(host) ?? unreachable)();
      },
      sleep: this.time.sleep,
      linkTo: async () => ({ interface: "eth0", kind: "wired" }),
    });
    this.search.onPeer((peer) => this.seen.push(peer));
    this.search.start();
  }

  async offer(addresses: readonly HostPort[], change: Partial<Offer> = {}): Promise<void> {
    this.search.offer({ source: "static", origin: "test", addresses, identity: null, spoke: false, ...change });
    await settled();
  }

  states(): readonly (readonly [string, string, string | null])[] {
    return this.search.peers().map(({ address, state, reason }) => [address.host, state, reason]);
  }
}

const REFUSED = "Nothing answers at a:1.";
const unreachable = (): Promise<ProbedPeer> => Promise.reject(new ExoError("peer_unreachable", REFUSED));
const answering = (name: string, change: Partial<ProbedPeer> = {}) => {
  return async (): Promise<ProbedPeer> => ({ nodeId: `id-${name}`, name, self: false, unusable: null, ...change });
};

describe("the search for peers", () => {
  test("asks with growing pauses until a peer answers, then announces it once", async () => {
    const scene = new Scene();
    await scene.offer([A]);
    assert.deepEqual(scene.states(), [["a", "searching", REFUSED]]);
    const pauses: number[] = [];
    for (let turn = 0; turn < 7; turn += 1) {
      const [pause = 0] = scene.time.pending();
      pauses.push(pause);
      await scene.time.advance(pause);
    }
    assert.deepEqual(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000]);
    scene.answers.set("a", answering("a"));
    await scene.time.advance(20_000);
    assert.equal(scene.asked.length, 9);
    assert.deepEqual(
      scene.seen.map(({ identity, state, via }) => [identity?.name, state, via?.kind]),
      [["a", "reachable", "wired"]],
    );
    await scene.search.stop();
  });

  test("lists a peer that cannot be used with the reason, and asks it again seldom", async () => {
    const reason = "a speaks protocol 2, this node speaks 1.";
    for (const answer of [
      () => Promise.reject(new ExoError("peer_incompatible", reason)),
      answering("a", { unusable: reason }),
    ]) {
      const scene = new Scene();
      scene.answers.set("a", answer);
      await scene.offer([A]);
      assert.deepEqual(scene.states(), [["a", "unused", reason]]);
      assert.deepEqual(scene.warnings, [reason]);
      assert.deepEqual(scene.time.pending(), [15_000]);
      scene.answers.set("a", answering("a"));
      await scene.time.advance(15_000);
      assert.equal(scene.seen.length, 1);
      await scene.search.stop();
    }
  });

  test("this node itself is known as such, and nobody is warned of it", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a", { self: true, unusable: "a:1 is this node itself." }));
    await scene.offer([A]);
    assert.deepEqual(scene.states(), [["a", "self", "a:1 is this node itself."]]);
    assert.deepEqual([scene.seen, scene.warnings], [[], []]);
    await scene.search.stop();
  });

  test("one silent peer does not delay another", async () => {
    const scene = new Scene();
    scene.answers.set("a", () => new Promise(() => {}));
    scene.answers.set("b", answering("b"));
    await scene.offer([A, B]);
    assert.deepEqual(
      scene.seen.map(({ identity }) => identity?.name),
      ["b"],
    );
  });

  test("a lost peer is searched and announced again", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a"));
    await scene.offer([A]);
    scene.answers.set("a", unreachable);
    scene.search.lost(A, "a missed three heartbeats.");
    assert.deepEqual(scene.states(), [["a", "searching", "a missed three heartbeats."]]);
    await settled();
    scene.answers.set("a", answering("a"));
    await scene.time.advance(250);
    assert.equal(scene.seen.length, 2);
    await scene.search.stop();
  });

  test("a peer that is lost is searched at all its addresses", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("one"));
    scene.answers.set("b", answering("one"));
    await scene.offer([A, B]);
    assert.deepEqual(
      scene.seen.map(({ address }) => address.host),
      ["a", "b"],
    );
    scene.answers.set("a", unreachable);
    scene.search.lost(A, "gone.");
    await settled();
    assert.deepEqual(
      scene.seen.map(({ address }) => address.host),
      ["a", "b", "b"],
    );
    await scene.search.stop();
  });

  test("a peer lost in the moment it is announced is searched again", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a"));
    let first = true;
    scene.search.onPeer(() => {
      if (first) scene.search.lost(A, "gone at once.");
      first = false;
    });
    await scene.offer([A]);
    await scene.time.advance(250);
    assert.equal(scene.seen.length, 2);
    assert.equal(scene.search.peers()[0]?.state, "reachable");
    await scene.search.stop();
  });

  test("late listeners hear of peers already reached, until they unsubscribe", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a"));
    await scene.offer([A]);
    const late: string[] = [];
    const unsubscribe = scene.search.onPeer((peer) => late.push(peer.address.host));
    unsubscribe();
    scene.search.lost(A, "lost.");
    await settled();
    assert.deepEqual(late, ["a"]);
    await scene.search.stop();
  });

  test("stops in the middle of a pause, twice, and can start again", async () => {
    const scene = new Scene();
    await scene.offer([A]);
    await scene.search.stop();
    await scene.search.stop();
    const before = scene.asked.length;
    await scene.time.advance(60_000);
    assert.equal(scene.asked.length, before);
    scene.answers.set("a", answering("a"));
    scene.search.start();
    await settled();
    assert.equal(scene.seen.length, 1);
    await scene.search.stop();
  });
});

describe("offers", () => {
  test("of one address by two sources are one search, under the name of the first", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a"));
    await scene.offer([A], { source: "mdns", origin: "m" });
    await scene.offer([A], { source: "static", origin: "s" });
    assert.deepEqual(scene.asked, ["a"]);
    assert.deepEqual(
      scene.search.peers().map(({ source }) => source),
      ["mdns"],
    );
    await scene.search.stop();
  });

  test("replace what the same origin offered before; nobody asks an address that nothing offers", async () => {
    const scene = new Scene();
    await scene.offer([A]);
    await scene.offer([B]);
    assert.deepEqual(
      scene.states().map(([host]) => host),
      ["b"],
    );
    scene.asked.length = 0;
    await scene.time.advance(10_000);
    assert.ok(scene.asked.length > 0);
    assert.ok(scene.asked.every((host) => host === "b"));
    await scene.search.stop();
  });

  test("that end leave a peer that was reached alone until it is lost", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a"));
    await scene.offer([A]);
    await scene.offer([]);
    assert.deepEqual(scene.states(), [["a", "reachable", null]]);
    scene.search.lost(A, "gone.");
    assert.deepEqual(scene.states(), []);
    await scene.search.stop();
  });

  test("of a peer that spoke just now end the pause", async () => {
    const scene = new Scene();
    await scene.offer([A], { source: "mdns", spoke: true });
    await scene.time.advance(20_000);
    scene.answers.set("a", answering("a"));
    await scene.offer([A], { source: "mdns" });
    assert.equal(scene.seen.length, 0);
    await scene.offer([A], { source: "mdns", spoke: true });
    assert.equal(scene.seen.length, 1);
    await scene.search.stop();
  });

  test("tell who is there before anybody answers", async () => {
    const scene = new Scene();
    await scene.offer([A], { source: "mdns", identity: { nodeId: "id-a", name: "attic" } });
    assert.equal(scene.search.peers()[0]?.identity?.name, "attic");
    await scene.search.stop();
  });

  test("from a network are taken up to a limit", async () => {
    const scene = new Scene();
    const flood = Array.from({ length: 5000 }, (_, index) => ({ host: `h${index}`, port: 1 }));
    await scene.offer(flood, { source: "mdns" });
    assert.equal(scene.search.peers().length, 1024);
    await scene.search.stop();
  });
});

describe("people are warned", () => {
  test("of the addresses of a name only while none of them answers", async () => {
    const scene = new Scene();
    scene.answers.set("b", answering("b"));
    await scene.offer([B]);
    await scene.offer([A, B]);
    assert.deepEqual(scene.warnings, []);
    await scene.offer([A], { origin: "other" });
    await scene.offer([{ host: "c", port: 1 }], { origin: "third" });
    assert.deepEqual(scene.warnings, [REFUSED]);
    await scene.search.stop();
  });

  test("not of other addresses of a node that is reached", async () => {
    const scene = new Scene();
    scene.answers.set("a", answering("a"));
    await scene.offer([A], { source: "mdns", origin: "eth0" });
    await scene.offer([B], { source: "mdns", origin: "wlan0", identity: { nodeId: "id-a", name: "a" } });
    assert.deepEqual(scene.warnings, []);
    await scene.search.stop();
  });

  test("not of machines of a tailnet that are no nodes; these are asked ever less", async () => {
    const scene = new Scene();
    await scene.offer([A], { source: "tailscale" });
    assert.deepEqual(scene.warnings, []);
    await scene.time.advance(600_000);
    assert.deepEqual(scene.time.pending(), [60_000 - ((600_000 - 63_750) % 60_000)]);
    await scene.search.stop();
  });
});

test("an address is written one way", () => {
  assert.equal(formatHostPort({ host: "fe80::1%eth0", port: 5 }), "[fe80::1%eth0]:5");
});
