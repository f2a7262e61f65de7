import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatHostPort } from "../../src/config/address.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import type { CommandOutput } from "../../src/discovery/run-command.js";
import { TailscaleSource } from "../../src/discovery/tailscale-source.js";
import { parseTailscaleStatus } from "../../src/discovery/tailscale-status.js";
import { ManualTime, settled } from "../support/manual-time.js";

const machine = (name: string, addresses: readonly string[] | null, change: object = {}) => ({
  ID: `n${name}CNTRL`,
  PublicKey: `nodekey:${name}`,
  HostName: name,
  DNSName: `${name}.tail1234.ts.net.`,
  OS: "linux",
  UserID: 1,
  TailscaleIPs: addresses,
  CurAddr: "",
  Relay: "fra",
  Online: true,
  Active: false,
  ...change,
});

/** The shape of `tailscale status --json` of 1.80, shortened. */
const RUNNING = {
  Version: "1.80.2-t0123456789",
  TUN: true,
  BackendState: "Running",
  HaveNodeKey: true,
  AuthURL: "",
  TailscaleIPs: ["100.64.0.1", "fd7a:115c:a1e0::1"],
  Self: machine("desk", ["100.64.0.1", "fd7a:115c:a1e0::1"]),
  Health: [],
  MagicDNSSuffix: "tail1234.ts.net",
  Peer: {
    "nodekey:attic": machine("attic", ["100.64.0.2", "fd7a:115c:a1e0::2"]),
    "nodekey:phone": machine("phone", ["100.64.0.3"], { OS: "iOS" }),
    "nodekey:asleep": machine("asleep", ["100.64.0.4"], { Online: false }),
    "nodekey:six": machine("six", ["fd7a:115c:a1e0::5"], { OS: "macOS" }),
    "nodekey:new": machine("new", null),
  },
};

describe("what the tailscale command prints", () => {
  test("names the machines that are on and can run a node, IPv4 first", () => {
    assert.deepEqual(parseTailscaleStatus(JSON.stringify(RUNNING)), {
      fault: null,
      peers: [
        { key: "nodekey:attic", address: "100.64.0.2" },
        { key: "nodekey:six", address: "fd7a:115c:a1e0::5" },
      ],
    });
  });

  test("may be that it is not connected, or that nobody else is there", () => {
    const stopped = parseTailscaleStatus(JSON.stringify({ ...RUNNING, BackendState: "Stopped" }));
    assert.deepEqual(stopped, { fault: "Tailscale is not connected (Stopped).", peers: [] });
    assert.deepEqual(parseTailscaleStatus(JSON.stringify({ ...RUNNING, Peer: null })), { fault: null, peers: [] });
  });

  test("is refused when it is something else", () => {
    const strange = { BackendState: "Running", Peer: { x: { Online: true, TailscaleIPs: ["nonsense", "1.2.3"] } } };
    assert.deepEqual(parseTailscaleStatus(JSON.stringify(strange)).peers, []);
    for (const text of ["", "{", "null", "[]", "7", '{"BackendState":1}', '{"BackendState":"Running","Peer":[1]}']) {
      assert.match(parseTailscaleStatus(text).fault ?? "", /cannot be read/, text);
    }
  });
});

class Scene {
  readonly time = new ManualTime();
  readonly outputs = new Map<string, CommandOutput>();
  readonly ran: string[] = [];
  readonly offered = new Map<string, readonly string[]>();
  readonly warnings: string[] = [];
  readonly source: TailscaleSource;

  constructor({ wanted = false, platform = "linux" as NodeJS.Platform } = {}) {
    const logger: Logger = { ...silentLogger, warn: (_, message) => this.warnings.push(message) };
    this.source = new TailscaleSource({
      run: async (file, args) => {
        this.ran.push([file, ...args].join(" "));
        return this.outputs.get(file) ?? null;
      },
      platform,
      port: 52_416,
      wanted,
      sink: { offer: ({ origin, addresses }) => this.offered.set(origin, addresses.map(formatHostPort)) },
      sleep: this.time.sleep,
      logger,
    });
  }

  prints(value: unknown, file = "tailscale"): void {
    this.outputs.set(file, { stdout: JSON.stringify(value), stderr: "" });
  }

  addresses(): readonly string[] {
    return [...this.offered.values()].flat();
  }
}

describe("Tailscale", () => {
  test("offers its machines at the port of nodes, and follows who comes and goes", async () => {
    const scene = new Scene();
    scene.prints(RUNNING);
    await scene.source.start();
    await settled();
    assert.deepEqual(scene.ran, ["tailscale status --json"]);
    assert.deepEqual(scene.addresses(), ["100.64.0.2:52416", "[fd7a:115c:a1e0::5]:52416"]);
    assert.deepEqual(scene.source.report(), {
      kind: "tailscale",
      state: "running",
      detail: "Other machines that are on: 2.",
    });
    scene.prints({ ...RUNNING, Peer: { "nodekey:attic": RUNNING.Peer["nodekey:attic"] } });
    await scene.time.advance(30_000);
    assert.deepEqual(scene.addresses(), ["100.64.0.2:52416"]);
    await scene.source.stop();
  });

  test("that is not there is listed so, quietly; it is told aloud to who asked for it", async () => {
    for (const [wanted, warnings] of [
      [false, 0],
      [true, 1],
    ] as const) {
      const scene = new Scene({ wanted });
      await scene.source.start();
      await scene.time.advance(600_000);
      const { state, detail } = scene.source.report();
      assert.deepEqual(
        [state, detail],
        ["unavailable", "Tailscale is not installed, or its command is not in the PATH."],
      );
      assert.equal(scene.warnings.length, warnings);
      assert.equal(scene.ran.length, 6);
      scene.prints(RUNNING);
      await scene.time.advance(120_000);
      assert.equal(scene.addresses().length, 2);
      await scene.source.stop();
    }
  });

  test("whose service does not run says what its command says", async () => {
    const scene = new Scene();
    scene.outputs.set("tailscale", { stdout: "", stderr: "failed to connect to local tailscaled\n(sudo?)\n" });
    await scene.source.start();
    await settled();
    assert.equal(scene.source.report().detail, "Tailscale does not answer: failed to connect to local tailscaled.");
    await scene.source.stop();
  });

  test("on macOS may be the app alone", async () => {
    const scene = new Scene({ platform: "darwin" });
    scene.prints(RUNNING, "/Applications/Tailscale.app/Contents/MacOS/Tailscale");
    await scene.source.start();
    await settled();
    assert.equal(scene.addresses().length, 2);
    await scene.source.stop();
  });
});
