import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clockCheck } from "../../src/cli/doctor/clock-check.js";
import { firewallCheck } from "../../src/cli/doctor/firewall-check.js";
import { interfacesCheck } from "../../src/cli/doctor/interfaces-check.js";
import { multicastCheck } from "../../src/cli/doctor/multicast-check.js";
import { peersCheck } from "../../src/cli/doctor/peers-check.js";
import { portsCheck } from "../../src/cli/doctor/ports-check.js";
import { reachCheck } from "../../src/cli/doctor/reach-check.js";
import { look, lookForOne } from "../support/doctor-context.js";
import { addressOf, type FakeMachine } from "../support/fake-system.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

const LAN = { lo: addressOf("127.0.0.1", 8), eth0: addressOf("192.168.1.30") };

describe("doctor: ports", () => {
  test("free ports are in order", async () => {
    const findings = await look(portsCheck, {});
    assert.deepEqual(
      findings.map(({ id, severity }) => [id, severity]),
      [
        ["ports.http", "ok"],
        ["ports.grpc", "ok"],
      ],
    );
  });

  test("a taken port is a problem that names the holder, on Linux from /proc", async () => {
    const table = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:CCBF 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0",
      "   1: 0100007F:CCBF 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000 100 0 0 10 0",
    ].join("\n");
    const [http] = await look(portsCheck, {
      refusedPorts: { 52415: "EADDRINUSE" },
      files: { "/proc/net/tcp": table, "/proc/812/comm": "nginx\n", "/proc/9/comm": "other\n" },
      links: { "/proc/812/fd/7": "socket:[4711]", "/proc/9/fd/7": "socket:[4712]" },
    });
    assert.equal(http?.severity, "problem");
    assert.match(http?.title ?? "", /^Port 52415 .* is taken by nginx \(process 812\)$/);
    assert.match(http?.mend ?? "", /serve --http 127\.0\.0\.1:52425$/);
  });

  test("the holder is named on macOS and on Windows, too", async () => {
    const refusedPorts = { 52416: "EADDRINUSE" };
    const lsof = "p4242\ncControlCe\nf21\n";
    const netstat = [
      "  Proto  Local Address          Foreign Address        State           PID",
      "  TCP    127.0.0.1:52416        127.0.0.1:60001        HERGESTELLT     77",
      "  TCP    0.0.0.0:52416          0.0.0.0:0              ABHÖREN         1234",
    ].join("\r\n");
    const machines: readonly FakeMachine[] = [
      { platform: "darwin", refusedPorts, commands: { "lsof -nP -iTCP:52416 -sTCP:LISTEN -Fpc": lsof } },
      { platform: "win32", refusedPorts, commands: { "netstat -ano -p TCP": netstat } },
      { platform: "darwin", refusedPorts },
    ];
    const titles = await Promise.all(machines.map(async (machine) => (await look(portsCheck, machine))[1]?.title));
    assert.match(titles[0] ?? "", /taken by ControlCe \(process 4242\)/);
    assert.match(titles[1] ?? "", /taken by the program with process id 1234/);
    assert.match(titles[2] ?? "", /taken by another program/);
  });

  test("ports of the node that runs here are its own", async () => {
    const refusedPorts = { 52415: "EADDRINUSE", 52416: "EADDRINUSE" };
    const findings = await look(portsCheck, { refusedPorts }, { cluster: twoNodeCluster() });
    assert.deepEqual(
      findings.map(({ severity }) => severity),
      ["ok", "ok"],
    );
    const other = await look(
      portsCheck,
      { refusedPorts: { 53000: "EADDRINUSE" } },
      { cluster: twoNodeCluster(), flags: { grpc: ":53000" } },
    );
    assert.equal(other[1]?.severity, "problem");
  });

  test("an address of another machine, and a port of the system's", async () => {
    const flags = { http: "10.9.9.9:80", grpc: ":443" };
    const [http, grpc] = await look(portsCheck, { refusedPorts: { 80: "EADDRNOTAVAIL", 443: "EACCES" } }, { flags });
    assert.match(http?.title ?? "", /10\.9\.9\.9 is no address of this machine/);
    assert.match(http?.mend ?? "", /--http :80/);
    assert.match(grpc?.title ?? "", /may not be listened on/);
  });
});

describe("doctor: interfaces", () => {
  const kindsOf = async (machine: FakeMachine) => (await lookForOne(interfacesCheck, machine)).title;

  test("kinds on Linux", async () => {
    const title = await kindsOf({
      interfaces: {
        lo: addressOf("127.0.0.1", 8),
        enp3s0: addressOf("192.168.1.30"),
        wlp2s0: addressOf("192.168.1.31"),
        thunderbolt0: addressOf("169.254.3.4"),
        tailscale0: addressOf("100.64.0.1"),
        docker0: addressOf("172.17.0.1"),
      },
      files: { "/sys/class/net/enp3s0/speed": "2500\n", "/sys/class/net/wlp2s0/wireless/x": "" },
      links: { "/sys/class/net/thunderbolt0/device/driver": "../../bus/thunderbolt/drivers/thunderbolt-net" },
    });
    assert.equal(title, "Network: enp3s0 (wired), wlp2s0 (wifi), thunderbolt0 (thunderbolt), tailscale0 (tunnel)");
  });

  test("kinds on macOS, by the names that it has for its ports", async () => {
    const ports = [
      "\nHardware Port: Ethernet\nDevice: en0\nEthernet Address: 00:00:00:00:00:01\n",
      "\nHardware Port: Wi-Fi\nDevice: en1\nEthernet Address: 00:00:00:00:00:02\n",
      "\nHardware Port: Thunderbolt Bridge\nDevice: bridge0\nEthernet Address: 00:00:00:00:00:03\n",
      "\nHardware Port: Thunderbolt Ethernet Slot 1\nDevice: en7\nEthernet Address: 00:00:00:00:00:04\n",
    ];
    const title = await kindsOf({
      platform: "darwin",
      interfaces: {
        en0: addressOf("192.168.1.2"),
        en1: addressOf("192.168.1.3"),
        bridge0: addressOf("169.254.1.1"),
        en7: addressOf("10.0.0.7"),
        utun3: addressOf("100.64.0.2"),
      },
      commands: { "networksetup -listallhardwareports": ports.join("") },
    });
    assert.equal(title, "Network: en0 (wired), en1 (wifi), bridge0 (thunderbolt), en7 (wired), utun3 (tunnel)");
  });

  test("Wi-Fi alone, a slow wire, and none at all are told", async () => {
    const wifi = { "/sys/class/net/wlan0/phy80211/x": "" };
    assert.match(await kindsOf({ interfaces: { wlan0: addressOf("192.168.1.2") }, files: wifi }), /by Wi-Fi only/);
    const slow = { "/sys/class/net/eth0/speed": "100\n" };
    const finding = await lookForOne(interfacesCheck, { interfaces: LAN, files: slow });
    assert.equal(finding.severity, "warning");
    assert.match(finding.title, /^eth0 runs at 100 Mbit\/s or less$/);
    assert.match(await kindsOf({ interfaces: { lo: addressOf("127.0.0.1") } }), /no network to other machines/);
    assert.match(await kindsOf({ interfaces: { docker0: addressOf("172.17.0.1") } }), /no network to other machines/);
  });
});

describe("doctor: multicast", () => {
  test("works, with what is not known said", async () => {
    const alone = await lookForOne(multicastCheck, { interfaces: LAN });
    assert.equal(alone.severity, "ok");
    assert.match(alone.detail, /eth0 sends and receives \(IPv4\)\. Nobody else answered/);
    const multicast = () => ({ heardItself: true, others: ["192.168.1.5"], error: null });
    assert.match((await lookForOne(multicastCheck, { interfaces: LAN, multicast })).title, /1 other machine answered/);
  });

  test("does not work: dropped packets, or a port that somebody keeps", async () => {
    const deaf = () => ({ heardItself: false, others: [], error: null });
    const dropped = await lookForOne(multicastCheck, { interfaces: LAN, multicast: deaf });
    assert.equal(dropped.severity, "note");
    assert.match(dropped.detail, /eth0 does not receive what it sends/);
    assert.match(dropped.mend ?? "", /firewall.*--peer/);
    const taken = () => ({ heardItself: false, others: [], error: "EADDRINUSE" });
    assert.match(
      (await lookForOne(multicastCheck, { interfaces: LAN, multicast: taken })).mend ?? "",
      /5353 to itself/,
    );
  });

  test("one interface of two that does not", async () => {
    const multicast = (name: string) => ({ heardItself: name === "eth0", others: [], error: null });
    const interfaces = { ...LAN, eth1: addressOf("10.0.0.2") };
    const finding = await lookForOne(multicastCheck, { interfaces, multicast });
    assert.deepEqual([finding.severity, finding.title], ["note", "Multicast works, but not on eth1"]);
  });

  test("a container is told apart, unless others answer", async () => {
    const machine = { interfaces: LAN, files: { "/.dockerenv": "" } };
    const finding = await lookForOne(multicastCheck, machine);
    assert.equal(finding.severity, "note");
    assert.match(finding.title, /container \(Docker\)/);
    const multicast = () => ({ heardItself: true, others: ["192.168.1.5"], error: null });
    assert.equal((await lookForOne(multicastCheck, { ...machine, multicast })).severity, "ok");
  });
});

describe("doctor: firewall", () => {
  const open = { flags: { open: true, discovery: "static" } };
  const ufwOn = { "/etc/ufw/ufw.conf": "# ufw\nENABLED=yes\nLOGLEVEL=low\n" };
  const status = (rules: string) => ({
    "ufw status": `Status: active\n\nTo                         Action      From\n${rules}`,
  });

  test("none found is said with what cannot be seen", async () => {
    const finding = await lookForOne(firewallCheck, {});
    assert.equal(finding.severity, "ok");
    assert.match(finding.detail, /read by root only/);
  });

  test("ufw, read without root, with root and shut, with root and open", async () => {
    const machine = { files: ufwOn, interfaces: LAN };
    const unseen = await lookForOne(firewallCheck, machine, open);
    assert.equal(unseen.severity, "warning");
    assert.match(unseen.title, /ufw is on; whether it lets tcp 52416 in cannot be seen/);
    assert.equal(unseen.mend, "sudo ufw allow from 192.168.1.0/24 to any port 52416 proto tcp");
    const root = { ...machine, isRoot: true };
    const shut = { ...root, commands: status("22/tcp                     ALLOW       Anywhere\n") };
    assert.match((await lookForOne(firewallCheck, shut, open)).title, /ufw keeps other nodes out of tcp 52416/);
    const wide = { ...root, commands: status("52416/tcp                  ALLOW       192.168.1.0/24\n") };
    assert.equal((await lookForOne(firewallCheck, wide, open)).severity, "ok");
  });

  test("a node for this machine only makes it a note", async () => {
    assert.equal((await lookForOne(firewallCheck, { files: ufwOn })).severity, "note");
    const elsewhere = await lookForOne(firewallCheck, { files: ufwOn }, { flags: { grpc: "192.168.1.30:52416" } });
    assert.equal(elsewhere.severity, "warning");
  });

  test("firewalld, by ports and ranges", async () => {
    const firewalld = (ports: string) => ({
      "firewall-cmd --state": "running\n",
      "firewall-cmd --list-ports": ports,
      "firewall-cmd --list-services": "ssh mdns dhcpv6-client\n",
    });
    const shut = await lookForOne(firewallCheck, { commands: firewalld("8080/tcp\n") }, open);
    assert.match(shut.title, /firewalld keeps other nodes out/);
    assert.match(shut.mend ?? "", /--add-port=52416\/tcp && sudo firewall-cmd --reload/);
    const range = await lookForOne(firewallCheck, { commands: firewalld("52000-53000/tcp\n") }, open);
    assert.equal(range.severity, "ok");
  });

  test("rules of the kernel, for root where nothing else writes them", async () => {
    const ruleset = (rule: string) =>
      `table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n  ${rule}\n }\n}\n`;
    const shut = { isRoot: true, commands: { "nft list ruleset": ruleset("tcp dport 22 accept") } };
    assert.match((await lookForOne(firewallCheck, shut, open)).mend ?? "", /nft insert rule .*tcp dport 52416 accept/);
    const wide = { isRoot: true, commands: { "nft list ruleset": ruleset("tcp dport { 22, 52416 } accept") } };
    assert.equal((await lookForOne(firewallCheck, wide, open)).severity, "ok");
    const older = { isRoot: true, commands: { "iptables -S INPUT": "-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n" } };
    assert.match((await lookForOne(firewallCheck, older, open)).mend ?? "", /iptables -I INPUT -p tcp --dport 52416/);
  });

  test("macOS and Windows", async () => {
    const tool = "/usr/libexec/ApplicationFirewall/socketfilterfw";
    const mac = (block: string) => ({
      platform: "darwin" as const,
      commands: {
        [`${tool} --getglobalstate`]: "Firewall is enabled. (State = 1) \n",
        [`${tool} --getblockall`]: `Firewall has block all state set to ${block}. \n`,
      },
    });
    assert.match(
      (await lookForOne(firewallCheck, mac("disabled"), open)).mend ?? "",
      /--unblockapp "\$\(which node\)"/,
    );
    assert.match((await lookForOne(firewallCheck, mac("enabled"), open)).mend ?? "", /--setblockall off/);
    const windows = (state: string) => ({
      platform: "win32" as const,
      commands: { "netsh advfirewall show currentprofile state": `State                                 ${state}\r\n` },
    });
    assert.match((await lookForOne(firewallCheck, windows("ON"), open)).mend ?? "", /localport=52416/);
    assert.equal((await lookForOne(firewallCheck, windows("OFF"), open)).severity, "ok");
  });
});

describe("doctor: peers, servers and the clock", () => {
  const npm = "https://packages.example.org/";
  const npmSays = { "npm config get registry": `${npm}\n` };
  const hub = "https://huggingface.co";
  const reply = (skewSeconds: number) => ({
    status: 200,
    serverTime: 1_000_000,
    ownTime: 1_000_000 + skewSeconds * 1000,
  });

  test("each peer that is named, with the reason why not", async () => {
    const unreachable = { "studio.local:52416": "ENOTFOUND", "10.0.0.9:52416": "ECONNREFUSED", "10.0.0.8:1": "EWEIRD" };
    const flags = { peer: ["10.0.0.7", "studio.local", "10.0.0.9", "10.0.0.8:1"] };
    const findings = await look(peersCheck, { unreachable }, { flags });
    assert.deepEqual(
      findings.map(({ severity }) => severity),
      ["ok", "warning", "warning", "warning"],
    );
    assert.match(findings[1]?.detail ?? "", /name is not known/);
    assert.match(findings[2]?.mend ?? "", /serve --open/);
    assert.match(findings[3]?.detail ?? "", /EWEIRD/);
  });

  test("peers of a file and of an invite, each once", async () => {
    const flags = {
      open: true,
      peer: ["10.0.0.7"],
      peersFile: "/etc/peers",
      join: "exo-native://10.0.0.7:52416,10.0.0.8:52416",
    };
    const files = { "/etc/peers": "# desk\n10.0.0.9\n" };
    const titles = (await look(peersCheck, { files }, { flags })).map(({ title }) => title);
    assert.deepEqual(
      titles,
      ["10.0.0.7", "10.0.0.8", "10.0.0.9"].map((host) => `${host}:52416 can be reached`),
    );
    const [wrong] = await look(peersCheck, { files: { "/etc/peers": "desk at home" } }, { flags });
    assert.match(wrong?.detail ?? "", /^Line 1 of \/etc\/peers is no address/);
    const [absent] = await look(peersCheck, {}, { flags });
    assert.equal(absent?.title, "/etc/peers cannot be used");
  });

  test("servers that answer, and one that does not", async () => {
    const findings = await look(reachCheck, { servers: { [npm]: reply(0) }, commands: npmSays });
    assert.deepEqual(
      findings.map(({ id, severity }) => [id, severity]),
      [
        ["reach.npm", "ok"],
        ["reach.hub", "warning"],
      ],
    );
    assert.match(findings[1]?.detail ?? "", /nothing answered in time/);
  });

  test("the user's own registry and hub are asked", async () => {
    const registry = "https://npm.example.org/";
    const mirror = "https://hub.example.org";
    const findings = await look(reachCheck, {
      env: { HF_ENDPOINT: mirror },
      commands: { "npm config get registry": `${registry}\n` },
      servers: { [registry]: reply(0), [mirror]: reply(0) },
    });
    assert.deepEqual(
      findings.map(({ title }) => title),
      ["npm.example.org (the npm registry) can be reached", "hub.example.org (the model hub) can be reached"],
    );
  });

  test("a hub that is not to be asked, and one whose address is none", async () => {
    const [, offline] = await look(reachCheck, { env: { HF_HUB_OFFLINE: "1" } });
    assert.deepEqual(
      [offline?.severity, offline?.title],
      ["note", "HF_HUB_OFFLINE is set, so the model hub is not asked"],
    );
    const [, wrong] = await look(reachCheck, { env: { HF_ENDPOINT: "mirror" } });
    assert.equal(wrong?.severity, "warning");
    assert.match(wrong?.detail ?? "", /received "mirror"/);
    assert.equal((await look(clockCheck, { env: { HF_ENDPOINT: "mirror" } }))[0]?.severity, "note");
  });

  test("a proxy that Node does not use is told, without its password", async () => {
    const env = { HTTPS_PROXY: "http://user:secret@proxy.example.org:3128" };
    const proxyOf = async (nodeVersion: string, more: Record<string, string> = {}) => {
      return (await look(reachCheck, { env: { ...env, ...more }, nodeVersion })).at(-1);
    };
    const old = await proxyOf("22.11.0");
    assert.equal(old?.severity, "warning");
    assert.match(old?.title ?? "", /proxy\.example\.org:3128/);
    assert.doesNotMatch(JSON.stringify(old), /secret/);
    assert.equal((await proxyOf("24.1.0"))?.mend, "export NODE_USE_ENV_PROXY=1");
    assert.equal((await proxyOf("24.1.0", { NODE_USE_ENV_PROXY: "1" }))?.severity, "ok");
  });

  test("a clock that agrees, one that does not, and none to compare with", async () => {
    const commands = { ...npmSays, "timedatectl show --property=NTPSynchronized --value": "yes\n" };
    const right = await look(clockCheck, { servers: { [npm]: reply(1), [hub]: reply(-2) }, commands });
    assert.deepEqual(
      right.map(({ id, severity }) => [id, severity]),
      [
        ["clock", "ok"],
        ["clock.sync", "ok"],
      ],
    );
    const [wrong] = await look(clockCheck, {
      servers: { [npm]: reply(-3600), [hub]: reply(-3601) },
      commands: npmSays,
    });
    assert.equal(wrong?.severity, "warning");
    assert.match(wrong?.title ?? "", /3601 s behind that of huggingface\.co/);
    const [unknown] = await look(clockCheck, {});
    assert.equal(unknown?.severity, "note");
  });

  test("the clock of a node that was refused for it speaks against one that agrees", async () => {
    const cluster = twoNodeCluster();
    const reason =
      "The clock of vm at 10.0.0.4:52416 is 1 day 2 hours ahead of this node's. Set both by the network (NTP).";
    const nodes = cluster.nodes.map((node) =>
      node.id === "b" ? { ...node, state: "refused" as const, reason } : node,
    );
    const node = { cluster: { ...cluster, nodes } };
    for (const servers of [{ [hub]: reply(0) }, {}]) {
      const findings = await look(clockCheck, { servers }, node);
      assert.deepEqual(
        findings.filter(({ id }) => id === "clock").map(({ severity }) => severity),
        ["warning"],
      );
      assert.match(findings[0]?.detail ?? "", /1 day 2 hours ahead/);
    }
  });

  test("peers' clocks count where their API can be reached", async () => {
    const cluster = twoNodeCluster();
    const nodes = cluster.nodes.map((node) => ({
      ...node,
      http_address: node.id === "b" ? "http://192.168.1.5:52415" : "http://127.0.0.1:52415",
    }));
    const servers = { "http://192.168.1.5:52415/healthz": reply(90), "http://127.0.0.1:52415/healthz": reply(999) };
    const [finding] = await look(clockCheck, { servers }, { cluster: { ...cluster, nodes } });
    assert.match(finding?.title ?? "", /90 s ahead of that of node-b/);
  });
});
