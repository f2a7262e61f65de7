import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatHostPort, parseHostPort, parseListenAddress } from "../../src/config/address.js";
import { formatByteSize, parseByteSize } from "../../src/config/byte-size.js";
import { parseDuration, parseKeepAlive } from "../../src/config/duration.js";
import { formatInvite, isInvite, parseInvite } from "../../src/config/invite.js";
import { formatLayerAssignments, parseLayerAssignments } from "../../src/config/layer-assignment.js";
import { resolvePaths } from "../../src/config/paths.js";

describe("sizes", () => {
  test("binary, decimal and plain", () => {
    assert.equal(parseByteSize("4GiB"), 4 * 2 ** 30);
    assert.equal(parseByteSize("1.5 gb"), 1_500_000_000);
    assert.equal(parseByteSize("512M"), 512 * 2 ** 20);
    assert.equal(parseByteSize("0"), 0);
    assert.equal(parseByteSize("123456"), 123_456);
  });

  test("what is no size", () => {
    for (const text of ["", "GiB", "-1", "4 GiBs", "1e9", "0x10", "99999999TiB", "4,5GB"]) {
      assert.equal(parseByteSize(text), null, text);
    }
  });

  test("written for people", () => {
    assert.equal(formatByteSize(322_591_712), "307.6 MiB");
    assert.equal(formatByteSize(1023), "1023 B");
    assert.equal(formatByteSize(5 * 2 ** 30), "5.00 GiB");
  });
});

describe("times", () => {
  test("with a unit, or in seconds", () => {
    const times = { "90s": 90, "30m": 1800, "1.5h": 5400, "2d": 172_800, "7": 7, "0": 0 };
    for (const [text, seconds] of Object.entries(times)) assert.equal(parseDuration(text), seconds, text);
    for (const text of ["", "m", "-5", "5 weeks", "1e3", "99999999999999d"])
      assert.equal(parseDuration(text), null, text);
  });

  test("for which a model stays loaded, also for ever", () => {
    for (const text of ["never", "Never", "-1", "-5m"]) {
      assert.equal(parseKeepAlive(text), Number.POSITIVE_INFINITY, text);
    }
    assert.equal(parseKeepAlive("5m"), 300);
    assert.equal(parseKeepAlive("nevermore"), null);
  });
});

describe("addresses", () => {
  test("of peers", () => {
    assert.deepEqual(parseHostPort("node-b:7000", 1), { host: "node-b", port: 7000 });
    assert.deepEqual(parseHostPort("192.168.1.20", 52_416), { host: "192.168.1.20", port: 52_416 });
    assert.deepEqual(parseHostPort("[fe80::1]:7000", 1), { host: "fe80::1", port: 7000 });
    assert.deepEqual(parseHostPort("::1", 52_416), { host: "::1", port: 52_416 });
  });

  test("what is no peer", () => {
    for (const text of ["", ":7000", "a:0", "a:65536", "a:b", "a b:1", "[::1", "[nonsense]:1", "http://a:1", "a/b:1"]) {
      assert.equal(parseHostPort(text, 1), null, text);
    }
  });

  test("to listen at", () => {
    assert.deepEqual(parseListenAddress(":52416"), { host: null, port: 52_416 });
    assert.deepEqual(parseListenAddress("8080"), { host: null, port: 8080 });
    assert.deepEqual(parseListenAddress("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
    assert.deepEqual(parseListenAddress("[::]:80"), { host: "::", port: 80 });
    for (const text of ["", "localhost", "::1", ":x", "1:2:3"]) assert.equal(parseListenAddress(text), null, text);
  });

  test("IPv6 is written in brackets", () => {
    assert.equal(formatHostPort({ host: "::1", port: 5 }), "[::1]:5");
    assert.equal(formatHostPort({ host: "a", port: 5 }), "a:5");
  });
});

describe("invites", () => {
  test("are read and written alike", () => {
    const text = "exo-native://192.168.1.20:52416,[fd00::1]:7000,studio.local:52416?cluster=home";
    const invite = parseInvite(text, 1);
    assert.deepEqual(invite, {
      peers: [
        { host: "192.168.1.20", port: 52_416 },
        { host: "fd00::1", port: 7000 },
        { host: "studio.local", port: 52_416 },
      ],
      cluster: "home",
    });
    assert.ok(invite !== null);
    assert.equal(formatInvite(invite), text);
  });

  test("may leave out ports and the cluster, and end in a slash", () => {
    assert.deepEqual(parseInvite(" EXO-NATIVE://desk/ ", 52_416), {
      peers: [{ host: "desk", port: 52_416 }],
      cluster: null,
    });
    assert.equal(isInvite("desk:52416"), false);
  });

  test("that say more than this release knows are none", () => {
    for (const text of [
      "",
      "exo-native://",
      "exo-native:desk",
      "exo-native://desk:0",
      "exo-native://a,,b",
      "exo-native://a?token=abc",
      "exo-native://a?cluster=x&token=abc",
      "exo-native://a?cluster=",
      "exo-native://a?cluster=a%20b",
      "exo-native://a?b?c",
      `exo-native://${"a,".repeat(64)}a`,
    ]) {
      assert.equal(parseInvite(text, 1), null, text);
    }
  });
});

describe("placements by hand", () => {
  test("are read and written alike", () => {
    const text = "0-11@node-a,11-22@node-b";
    const parsed = parseLayerAssignments(text);
    assert.deepEqual(parsed, [
      { node: "node-a", begin: 0, end: 11 },
      { node: "node-b", begin: 11, end: 22 },
    ]);
    assert.equal(formatLayerAssignments(parsed ?? []), text);
  });

  test("must have the form", () => {
    for (const text of ["", "0-11", "0-11@", "11-0@a", "3-3@a", "a-b@c", "0-1@a,,1-2@b", "0–1@a"]) {
      assert.equal(parseLayerAssignments(text), null, text);
    }
  });
});

test("EXO_NATIVE_HOME moves cache and configuration", () => {
  assert.deepEqual(resolvePaths({ EXO_NATIVE_HOME: "/data/exo" }, "/home/me"), {
    cacheDir: "/data/exo",
    modelsDir: "/data/exo/models",
    configDir: "/data/exo/config",
  });
  assert.deepEqual(resolvePaths({}, "/home/me"), {
    cacheDir: "/home/me/.cache/exo-native",
    modelsDir: "/home/me/.cache/exo-native/models",
    configDir: "/home/me/.config/exo-native",
  });
});
