import assert from "node:assert/strict";
import type { NetworkInterfaceInfo } from "node:os";
import { describe, test } from "node:test";
import { type InterfaceFacts, interfaceKind, parseHardwarePorts } from "../../src/discovery/interface-kind.js";
import { compareLinks, LocalInterfaces } from "../../src/discovery/interfaces.js";
import { leavesThisMachine, listeningOn } from "../../src/discovery/listening.js";
import { isLinkLocal, Subnets } from "../../src/discovery/subnets.js";
import { anyHost, outsideHosts, reachableHost } from "../../src/transport/reachable-host.js";

const NOTHING: InterfaceFacts = { port: null, entries: new Set(), driver: null };

/** As a Mac mini prints it, shortened. */
const PORTS = `
Hardware Port: Ethernet
Device: en0
Ethernet Address: 14:98:77:00:00:01

Hardware Port: Thunderbolt Bridge
Device: bridge0
Ethernet Address: 36:00:00:00:00:02

Hardware Port: Wi-Fi
Device: en1
Ethernet Address: 14:98:77:00:00:03

Hardware Port: Thunderbolt 1
Device: en2
Ethernet Address: 36:00:00:00:00:04

Hardware Port: Thunderbolt Ethernet Slot 1
Device: en7
Ethernet Address: 36:00:00:00:00:05

VLAN Configurations
===================
`;

function v4(address: string, cidr: string, internal = false): NetworkInterfaceInfo {
  return { address, netmask: "", family: "IPv4", mac: "02:00:00:00:00:01", internal, cidr };
}

function v6(address: string, cidr: string, scopeid: number, internal = false): NetworkInterfaceInfo {
  return { address, netmask: "", family: "IPv6", mac: "02:00:00:00:00:01", internal, cidr, scopeid };
}

describe("kinds of interfaces", () => {
  test("by name", () => {
    const kinds = {
      wired: ["eth0", "enp3s0", "eno1", "en0", "Ethernet", "br0", "bond0"],
      wifi: ["wlan0", "wlp2s0", "wlx00c0ca", "Wi-Fi", "WLAN"],
      thunderbolt: ["thunderbolt0"],
      tunnel: ["tun0", "utun4", "wg0", "tailscale0", "ppp0", "ztabc123"],
      virtual: ["docker0", "br-0a1b2c3d4e5f", "veth12ab", "virbr0", "cni0", "cali123", "awdl0", "llw0", "bridge100"],
    } as const;
    for (const [kind, names] of Object.entries(kinds)) {
      for (const name of names) assert.equal(interfaceKind(name, false, NOTHING), kind, name);
    }
    assert.equal(interfaceKind("lo", true, NOTHING), "loopback");
  });

  test("by what Linux knows of it", () => {
    assert.equal(interfaceKind("net0", false, { ...NOTHING, entries: new Set(["phy80211"]) }), "wifi");
    assert.equal(interfaceKind("home", false, { ...NOTHING, entries: new Set(["tun_flags"]) }), "tunnel");
    assert.equal(interfaceKind("enxdc4a", false, { ...NOTHING, driver: "thunderbolt-net" }), "thunderbolt");
  });

  test("by what macOS calls its port", () => {
    const ports = parseHardwarePorts(PORTS);
    const kindOf = (name: string) => interfaceKind(name, false, { ...NOTHING, port: ports.get(name) ?? null });
    assert.deepEqual(["en0", "bridge0", "en1", "en2", "en7", "en9"].map(kindOf), [
      "wired",
      "thunderbolt",
      "wifi",
      "thunderbolt",
      "wired",
      "wired",
    ]);
  });

  test("Thunderbolt goes before cable, cable before Wi-Fi, Wi-Fi before what is not known and tunnels", () => {
    const links = (["tunnel", "wifi", "wired", "thunderbolt", "loopback"] as const).map((kind) => {
      return { interface: kind, kind };
    });
    assert.deepEqual(
      [null, ...links].sort(compareLinks).map((link) => link?.kind ?? null),
      ["loopback", "thunderbolt", "wired", "wifi", null, "tunnel"],
    );
  });
});

describe("the interfaces of this machine", () => {
  test("are listed with their addresses, and learn their ports where the system tells them", async () => {
    const ran: string[] = [];
    const interfaces = new LocalInterfaces({
      platform: "darwin",
      addresses: () => ({ en1: [v4("10.0.0.1", "10.0.0.1/24"), v6("fe80::1", "fe80::1/64", 4)] }),
      run: async (file, args) => {
        ran.push([file, ...args].join(" "));
        return { stdout: PORTS, stderr: "" };
      },
    });
    assert.equal(interfaces.list()[0]?.kind, "wired");
    await interfaces.learnPorts();
    assert.deepEqual(ran, ["networksetup -listallhardwareports"]);
    assert.deepEqual(interfaces.list(), [
      {
        name: "en1",
        kind: "wifi",
        scope: "en1",
        addresses: [
          { address: "10.0.0.1", family: 4, prefix: 24 },
          { address: "fe80::1", family: 6, prefix: 64 },
        ],
      },
    ]);
  });

  test("on Windows the name of a link is a number", () => {
    const addresses = () => ({ "Wi-Fi": [v6("fe80::1", "fe80::1/64", 17)] });
    const [wifi] = new LocalInterfaces({ platform: "win32", addresses, run: async () => null }).list();
    assert.deepEqual([wifi?.kind, wifi?.scope], ["wifi", "17"]);
  });

  test("tell what a host is reached through", async () => {
    const interfaces = new LocalInterfaces();
    assert.equal((await interfaces.linkTo("127.0.0.1"))?.kind, "loopback");
    assert.equal(await interfaces.linkTo("fe80::1%nonesuch9"), null);
    assert.equal(await interfaces.linkTo("no-such-host.invalid"), null);
  });
});

test("only addresses where the server listens are told to others", () => {
  const eth0 = {
    name: "eth0",
    kind: "wired" as const,
    scope: "eth0",
    addresses: [
      { address: "10.0.0.1", family: 4 as const, prefix: 24 },
      { address: "fd00::1", family: 6 as const, prefix: 64 },
    ],
  };
  const wlan0 = { ...eth0, name: "wlan0", addresses: [{ address: "10.0.1.1", family: 4 as const, prefix: 24 }] };
  const told = (host: string | null) =>
    listeningOn(host, [eth0, wlan0]).map(({ name, addresses }) => [name, ...addresses.map(({ address }) => address)]);
  const all = [
    ["eth0", "10.0.0.1", "fd00::1"],
    ["wlan0", "10.0.1.1"],
  ];
  assert.deepEqual([told(null), told("::")], [all, all]);
  assert.deepEqual(told("0.0.0.0"), [["eth0", "10.0.0.1"], all[1]]);
  assert.deepEqual(told("10.0.1.1"), [all[1]]);
  assert.deepEqual(told("192.168.1.1"), []);
  assert.deepEqual(
    [null, "10.0.0.1", "127.0.0.1", "localhost"].map((host) => leavesThisMachine(true, host)),
    [true, true, false, false],
  );
  assert.equal(leavesThisMachine(false, null), false);
});

describe("subnets", () => {
  const subnets = new Subnets({
    name: "eth0",
    kind: "wired",
    scope: "eth0",
    addresses: [
      { address: "10.0.0.1", family: 4, prefix: 24 },
      { address: "fd00::1", family: 6, prefix: 64 },
      { address: "fe80::1", family: 6, prefix: 64 },
    ],
  });

  test("hold the addresses of their networks, and those that bear the link's name", () => {
    for (const address of ["10.0.0.77", "fd00::77", "fe80::77%eth0"]) assert.equal(subnets.has(address), true, address);
    for (const address of ["10.0.1.1", "fd01::1", "fe80::77%wlan0", "::ffff:10.0.1.1", "nonsense", ""]) {
      assert.equal(subnets.has(address), false, address);
    }
  });

  test("give an address of the link alone its name", () => {
    assert.equal(subnets.scoped("fe80::7"), "fe80::7%eth0");
    assert.equal(subnets.scoped("fe80::7%eth0"), "fe80::7%eth0");
    assert.equal(subnets.scoped("fd00::7"), "fd00::7");
    assert.deepEqual(["fe80::1", "FEBF::1", "fec0::1", "10.0.0.1"].map(isLinkLocal), [true, true, false, false]);
  });
});

describe("where others reach this machine", () => {
  const lo = [v4("127.0.0.1", "127.0.0.1/8", true), v6("::1", "::1/128", 0, true)];

  test("with IPv4, IPv6 and a cable between two machines", () => {
    const machine = {
      lo,
      thunderbolt0: [v4("169.254.7.1", "169.254.7.1/16"), v6("fe80::7", "fe80::7/64", 3)],
      eth0: [v6("fd00::1", "fd00::1/64", 0), v4("10.0.0.1", "10.0.0.1/24")],
    };
    assert.deepEqual(outsideHosts(machine), ["10.0.0.1", "fd00::1", "169.254.7.1"]);
    assert.equal(reachableHost("::", machine), "10.0.0.1");
    assert.equal(anyHost(machine), "::");
  });

  test("with IPv6 alone, and with nothing", () => {
    assert.equal(reachableHost("::", { lo, eth0: [v6("fd00::1", "fd00::1/64", 0)] }), "fd00::1");
    assert.equal(reachableHost("0.0.0.0", { lo }), "127.0.0.1");
    assert.equal(reachableHost("192.168.1.9", {}), "192.168.1.9");
    assert.equal(anyHost({ lo: [v4("127.0.0.1", "127.0.0.1/8", true)] }), "0.0.0.0");
  });
});
