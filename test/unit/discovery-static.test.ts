import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatHostPort, type HostPort } from "../../src/config/address.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import { StaticSource } from "../../src/discovery/static-source.js";
import { ManualTime, settled } from "../support/manual-time.js";

/** Names and a file as the test sets them, and what is offered of them. */
class Scene {
  readonly time = new ManualTime();
  readonly names = new Map<string, readonly string[]>();
  readonly offered = new Map<string, readonly string[]>();
  readonly warnings: string[] = [];
  file: string | Error = "";
  readonly source: StaticSource;

  constructor(peers: readonly HostPort[], file: string | null = null) {
    const logger: Logger = { ...silentLogger, warn: (_, message) => this.warnings.push(message) };
    this.source = new StaticSource({
      peers,
      file,
      lookup: async (name) => {
        const addresses = this.names.get(name);
        if (addresses === undefined) throw new Error(`getaddrinfo ENOTFOUND ${name}`);
        return addresses;
      },
      readFile: async () => {
        if (this.file instanceof Error) throw this.file;
        return this.file;
      },
      sink: { offer: ({ origin, addresses }) => this.offered.set(origin, addresses.map(formatHostPort)) },
      sleep: this.time.sleep,
      logger,
    });
  }

  addresses(): readonly string[] {
    return [...this.offered.values()].flat();
  }
}

describe("static peers", () => {
  test("an address stands for itself, and nothing is looked up again", async () => {
    const scene = new Scene([
      { host: "10.0.0.1", port: 5 },
      { host: "fd00::1", port: 6 },
    ]);
    await scene.source.start();
    await settled();
    assert.deepEqual(scene.addresses(), ["10.0.0.1:5", "[fd00::1]:6"]);
    assert.deepEqual(scene.time.pending(), []);
    await scene.source.stop();
  });

  test("a name stands for all its addresses, and is looked up from time to time", async () => {
    const scene = new Scene([{ host: "nodes.svc", port: 5 }]);
    scene.names.set("nodes.svc", ["10.0.0.1", "10.0.0.2"]);
    await scene.source.start();
    await settled();
    assert.deepEqual(scene.addresses(), ["10.0.0.1:5", "10.0.0.2:5"]);
    scene.names.set("nodes.svc", ["10.0.0.2", "10.0.0.3"]);
    await scene.time.advance(10_000);
    assert.deepEqual(scene.addresses(), ["10.0.0.2:5", "10.0.0.3:5"]);
    await scene.source.stop();
  });

  test("a name without an address stands for itself until it has one", async () => {
    const scene = new Scene([{ host: "studio", port: 5 }]);
    await scene.source.start();
    await settled();
    assert.deepEqual(scene.addresses(), ["studio:5"]);
    scene.names.set("studio", ["10.0.0.9"]);
    await scene.time.advance(10_000);
    assert.deepEqual(scene.addresses(), ["10.0.0.9:5"]);
    await scene.source.stop();
  });

  test("a file is read again: lines come and go", async () => {
    const scene = new Scene([{ host: "10.0.0.1", port: 5 }], "peers");
    scene.file = "# the attic\n10.0.0.2:7\n\n10.0.0.3 # default port\r\n";
    await scene.source.start();
    await settled();
    assert.deepEqual(scene.addresses(), ["10.0.0.1:5", "10.0.0.2:7", "10.0.0.3:52416"]);
    scene.file = "10.0.0.3";
    await scene.time.advance(10_000);
    assert.deepEqual(scene.addresses(), ["10.0.0.1:5", "10.0.0.3:52416"]);
    await scene.source.stop();
  });

  test("a file that is wrong at the start is refused with its line; later the peers stay, and it is told once", async () => {
    const scene = new Scene([], "peers");
    for (const [file, message] of [
      ["10.0.0.2\nhttp://x\n", /^Line 2 of peers is no address/],
      [new Error("ENOENT: no such file or directory, open 'peers'"), /cannot be read: ENOENT/],
      [Array.from({ length: 1025 }, (_, index) => `h${index}`).join("\n"), /names 1025 peers; at most 1024/],
    ] as const) {
      scene.file = file;
      await assert.rejects(scene.source.start(), { code: "invalid_argument", message });
    }
    scene.file = "10.0.0.2:7";
    await scene.source.start();
    await settled();
    scene.file = "10.0.0.2:7\n???";
    await scene.time.advance(20_000);
    assert.deepEqual(scene.addresses(), ["10.0.0.2:7"]);
    assert.equal(scene.warnings.length, 1);
    assert.match(scene.warnings[0] ?? "", /^Line 2 of peers .* The peers it named before stay\.$/);
    assert.match(scene.source.report().detail ?? "", /^Line 2 of peers/);
    await scene.source.stop();
  });

  test("says when there is none", async () => {
    const scene = new Scene([]);
    await scene.source.start();
    assert.deepEqual(scene.source.report(), { kind: "static", state: "running", detail: "No peer is named." });
    await scene.source.stop();
    await scene.source.stop();
  });
});
