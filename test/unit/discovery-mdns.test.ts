import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatHostPort } from "../../src/config/address.js";
import { silentLogger } from "../../src/core/ports.js";
import type { LinkKind } from "../../src/discovery/interface-kind.js";
import type { LocalInterface } from "../../src/discovery/interfaces.js";
import { MdnsSource } from "../../src/discovery/mdns-source.js";
import type { Offer } from "../../src/discovery/peer-source.js";
import { ManualTime } from "../support/manual-time.js";
import { MulticastNetwork } from "../support/multicast-network.js";

interface Plug {
  readonly interface: string;
  readonly kind?: LinkKind;
  readonly lan: string;
  readonly v4?: string;
  /** The part after `fe80::`, and a whole address of the network beside it. */
  readonly v6?: string;
  readonly global?: string;
  /** The system refuses it for multicast. */
  readonly deaf?: boolean;
}

/** Hosts on networks, each with the node of its name. */
class Scene {
  readonly time = new ManualTime();
  readonly network = new MulticastNetwork();

  host(name: string, plugs: readonly Plug[], { beyondLoopback = true, boot = "b1", id = `id-${name}` } = {}) {
    let plugged = plugs;
    const offers = new Map<string, Offer>();
    const fake = {
      get plugs() {
        return new Map(plugged.flatMap(vias));
      },
    };
    const source = new MdnsSource({
      own: () => ({
        nodeId: id,
        instance: boot,
        name,
        version: "0.1.0",
        protocolVersion: 1,
        cluster: "default",
        port: 52_416,
      }),
      interfaces: () => plugged.map(toInterface),
      beyondLoopback,
      open: this.network.openFor(fake),
      sink: {
        offer: (offer) => {
          if (offer.addresses.length > 0) offers.set(offer.origin, offer);
          else offers.delete(offer.origin);
        },
      },
      sleep: this.time.sleep,
      clock: this.time,
      logger: silentLogger,
    });
    return {
      source,
      /** As when its cable is cut. */
      vanish: () => this.network.vanish(fake),
      offers: () => [...offers.values()],
      sees: () => [...offers.values()].flatMap(({ addresses }) => addresses.map(formatHostPort)).sort(),
      replug: (next: readonly Plug[]) => {
        plugged = next;
      },
    };
  }
}

function toInterface(plug: Plug): LocalInterface {
  const v4 = plug.v4 === undefined ? [] : [{ address: plug.v4, family: 4 as const, prefix: 24 }];
  const v6 = plug.v6 === undefined ? [] : [{ address: `fe80::${plug.v6}`, family: 6 as const, prefix: 64 }];
  const global = plug.global === undefined ? [] : [{ address: plug.global, family: 6 as const, prefix: 64 }];
  return {
    name: plug.interface,
    kind: plug.kind ?? "wired",
    scope: plug.interface,
    addresses: [...v4, ...global, ...v6],
  };
}

function vias(plug: Plug): readonly (readonly [string, { lan: string; from: string }])[] {
  if (plug.deaf === true) return [];
  const v4 = plug.v4 === undefined ? [] : [[plug.v4, { lan: plug.lan, from: plug.v4 }] as const];
  const v6 =
    plug.v6 === undefined ? [] : [[`::%${plug.interface}`, { lan: plug.lan, from: `fe80::${plug.v6}` }] as const];
  return [...v4, ...v6];
}

const LAN = { interface: "eth0", lan: "lan" };

describe("multicast DNS", () => {
  test("two nodes on a network find each other, whichever starts first; neither finds itself", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v4: "10.0.0.1" }]);
    const b = scene.host("b", [{ ...LAN, v4: "10.0.0.2" }]);
    await a.source.start();
    await scene.time.advance(10_000);
    assert.deepEqual(a.sees(), []);
    await b.source.start();
    await scene.time.advance(1_500);
    assert.deepEqual([a.sees(), b.sees()], [["10.0.0.2:52416"], ["10.0.0.1:52416"]]);
    assert.deepEqual(
      a.offers().map(({ source, identity, spoke }) => [source, identity, spoke]),
      [["mdns", { nodeId: "id-b", name: "b" }, true]],
    );
    await a.source.stop();
    await b.source.stop();
    assert.equal(scene.network.open, 0);
  });

  test("with IPv6 alone: at the address of the network, and at the one of the link with its name here", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v6: "1", global: "fd00::1" }]);
    const b = scene.host("b", [{ interface: "enp3s0", lan: "lan", v6: "2", global: "fd00::2" }]);
    await a.source.start();
    await b.source.start();
    await scene.time.advance(1_500);
    const hosts = (host: typeof a) => host.offers().flatMap(({ addresses }) => addresses.map(formatHostPort));
    assert.deepEqual(hosts(a), ["[fd00::2]:52416", "[fe80::2%eth0]:52416"]);
    assert.deepEqual(hosts(b), ["[fd00::1]:52416", "[fe80::1%enp3s0]:52416"]);
    await a.source.stop();
    await b.source.stop();
  });

  test("on two networks each address is found on its own one only", async () => {
    const scene = new Scene();
    const two = (host: number): readonly Plug[] => [
      { interface: "eth0", lan: "cable", v4: `10.0.0.${host}` },
      { interface: "wlan0", kind: "wifi", lan: "air", v4: `10.0.1.${host}` },
    ];
    const a = scene.host("a", two(1));
    const b = scene.host("b", two(2));
    await a.source.start();
    await b.source.start();
    await scene.time.advance(1_500);
    assert.deepEqual(a.sees(), ["10.0.0.2:52416", "10.0.1.2:52416"]);
    assert.equal(a.offers().length, 2);
    assert.match(a.source.report().detail ?? "", /^On eth0 \(wired, IPv4\), wlan0 \(wifi, IPv4\)\.$/);
    await a.source.stop();
    await b.source.stop();
  });

  test("interfaces that come and go are followed", async () => {
    const scene = new Scene();
    const cable: Plug = { ...LAN, v4: "10.0.0.1" };
    const a = scene.host("a", []);
    const b = scene.host("b", [{ ...LAN, v4: "10.0.0.2" }]);
    await b.source.start();
    await a.source.start();
    await scene.time.advance(3_000);
    assert.deepEqual(a.source.report(), { kind: "mdns", state: "unavailable", detail: "No network interface is up." });
    a.replug([cable]);
    await scene.time.advance(4_000);
    assert.deepEqual([a.sees(), b.sees()], [["10.0.0.2:52416"], ["10.0.0.1:52416"]]);
    a.replug([{ ...cable, v4: "10.0.0.7" }]);
    await scene.time.advance(4_000);
    assert.deepEqual([a.sees(), b.sees()], [["10.0.0.2:52416"], ["10.0.0.7:52416"]]);
    a.replug([]);
    await scene.time.advance(4_000);
    assert.deepEqual(a.sees(), []);
    await a.source.stop();
    await b.source.stop();
  });

  test("a node that leaves says so; one that vanishes is forgotten after a while", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v4: "10.0.0.1" }]);
    const b = scene.host("b", [{ ...LAN, v4: "10.0.0.2" }]);
    const c = scene.host("c", [{ ...LAN, v4: "10.0.0.3" }]);
    for (const { source } of [a, b, c]) await source.start();
    await scene.time.advance(5_000);
    assert.equal(a.sees().length, 2);
    await b.source.stop();
    assert.deepEqual(a.sees(), ["10.0.0.3:52416"]);
    c.vanish();
    await scene.time.advance(100_000);
    assert.deepEqual(a.sees(), ["10.0.0.3:52416"]);
    await scene.time.advance(60_000);
    assert.deepEqual(a.sees(), []);
    await a.source.stop();
    await c.source.stop();
  });

  test("a network that many nodes share is not talked to much", async () => {
    const scene = new Scene();
    const hosts = Array.from({ length: 8 }, (_, index) => {
      return scene.host(`h${index}`, [{ ...LAN, v4: `10.0.0.${index + 1}` }]);
    });
    for (const { source } of hosts) await source.start();
    await scene.time.advance(300_000);
    assert.ok(hosts.every((host) => host.sees().length === 7));
    const before = scene.network.sent.get("lan") ?? 0;
    await scene.time.advance(600_000);
    const perNodeAndMinute = ((scene.network.sent.get("lan") ?? 0) - before) / 8 / 10;
    assert.ok(perNodeAndMinute <= 10, `${perNodeAndMinute} packets per node and minute`);
    for (const { source } of hosts) await source.stop();
  });

  test("a node of this machine alone speaks on the loopback interface, one of a network never there", async () => {
    const scene = new Scene();
    const plugs: readonly Plug[] = [
      { interface: "lo", kind: "loopback", lan: "lo", v4: "127.0.0.1" },
      { ...LAN, v4: "10.0.0.1", v6: "1" },
      { interface: "tailscale0", kind: "tunnel", lan: "tail", v4: "100.64.0.1" },
    ];
    const alone = scene.host("alone", plugs, { beyondLoopback: false });
    const open = scene.host("open", plugs);
    await alone.source.start();
    await open.source.start();
    await scene.time.advance(1_500);
    assert.equal(alone.source.report().detail, "On lo (loopback, IPv4).");
    assert.equal(open.source.report().detail, "On eth0 (wired, IPv4), eth0 (wired, IPv6).");
    assert.deepEqual([alone.sees(), open.sees()], [[], []]);
    assert.equal(scene.network.sent.has("tail"), false);
    await alone.source.stop();
    await open.source.stop();
  });

  test("nobody can send this node to an address of another network", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v4: "10.0.0.1" }]);
    const liar = scene.host("liar", [{ ...LAN, v4: "192.168.9.9" }]);
    await a.source.start();
    await liar.source.start();
    await scene.time.advance(5_000);
    assert.deepEqual(a.sees(), []);
    await a.source.stop();
    await liar.source.stop();
  });

  test("a copy of this node with its id is found, for somebody should know", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v4: "10.0.0.1" }], { id: "same", boot: "one" });
    const b = scene.host("b", [{ ...LAN, v4: "10.0.0.2" }], { id: "same", boot: "two" });
    await a.source.start();
    await b.source.start();
    await scene.time.advance(1_500);
    assert.deepEqual(a.sees(), ["10.0.0.2:52416"]);
    await a.source.stop();
    await b.source.stop();
  });

  test("an interface without multicast is named with the system's reason", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v4: "10.0.0.1" }]);
    const b = scene.host("b", [
      { ...LAN, v4: "10.0.0.2" },
      { interface: "eth1", lan: "lan", v6: "2", deaf: true },
    ]);
    await a.source.start();
    await b.source.start();
    await scene.time.advance(1_500);
    assert.deepEqual(a.sees(), ["10.0.0.2:52416"]);
    assert.deepEqual(b.source.report(), {
      kind: "mdns",
      state: "running",
      detail: "On eth0 (wired, IPv4). Not on eth1 (wired, IPv6): addMembership ENODEV.",
    });
    await a.source.stop();
    await b.source.stop();
  });

  test("an interface that the system lets be used later is used then", async () => {
    const scene = new Scene();
    const a = scene.host("a", [{ ...LAN, v4: "10.0.0.1" }]);
    const b = scene.host("b", [{ ...LAN, v4: "10.0.0.2", deaf: true }]);
    await a.source.start();
    await b.source.start();
    await scene.time.advance(5_000);
    assert.deepEqual([b.source.report().state, a.sees()], ["unavailable", []]);
    b.replug([{ ...LAN, v4: "10.0.0.2" }]);
    await scene.time.advance(10_000);
    assert.deepEqual(
      [b.source.report().state, a.sees(), b.sees()],
      ["running", ["10.0.0.2:52416"], ["10.0.0.1:52416"]],
    );
    await a.source.stop();
    await b.source.stop();
  });
});
