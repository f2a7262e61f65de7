import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clusterOf } from "../../src/config/cluster-name.js";
import { environmentName, loadConfig } from "../../src/config/load.js";
import { OPTIONS } from "../../src/config/options.js";
import { discoveryKinds } from "../../src/discovery/create-discovery.js";
import { computeSettings } from "../../src/runtime/stage-settings.js";

let home = "";
before(async () => {
  home = await mkdtemp(join(tmpdir(), "exo-config-"));
});
after(() => rm(home, { recursive: true, force: true }));

async function configFile(content: unknown): Promise<string> {
  const path = join(home, `${Math.random().toString(36).slice(2)}.json`);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

async function refusal(sources: Parameters<typeof loadConfig>[0]): Promise<string> {
  let message = "";
  await assert.rejects(loadConfig({ homeDirectory: home, env: {}, ...sources }), (thrown: unknown) => {
    assert.ok(thrown instanceof Error);
    assert.equal(Reflect.get(thrown, "code"), "invalid_argument");
    message = thrown.message;
    return true;
  });
  return message;
}

describe("precedence", () => {
  test("flag over environment over file over default", async () => {
    const config = await configFile({ slots: 2, ctx: 100, "log-level": "warn", threads: 3 });
    const settings = await loadConfig({
      homeDirectory: home,
      flags: { slots: "8", config },
      env: { EXO_NATIVE_SLOTS: "4", EXO_NATIVE_CTX: "200" },
    });
    assert.equal(settings.slots, 8);
    assert.equal(settings.ctx, 200);
    assert.equal(settings.threads, 3);
    assert.equal(settings.logLevel, "warn");
    assert.equal(settings.ubatch, 512);
    assert.equal(settings.file, config);
  });

  test("the file in the configuration directory is read without being named", async () => {
    const env = { EXO_NATIVE_HOME: join(home, "own") };
    await mkdir(join(home, "own", "config"), { recursive: true });
    await writeFile(join(home, "own", "config", "config.json"), '{"name":"studio"}');
    const settings = await loadConfig({ env });
    assert.equal(settings.name, "studio");
    assert.equal(settings.paths.modelsDir, join(home, "own", "models"));
  });

  test("without any source the defaults hold", async () => {
    const settings = await loadConfig({ env: {}, homeDirectory: home });
    assert.deepEqual(settings.http, { host: "127.0.0.1", port: 52_415 });
    assert.deepEqual(settings.grpc, { host: null, port: 52_416 });
    assert.equal(settings.file, null);
    assert.equal(settings.memory, null);
    assert.deepEqual(settings.peer, []);
  });

  test("an empty variable is as good as none", async () => {
    const settings = await loadConfig({ env: { EXO_NATIVE_SLOTS: "" }, homeDirectory: home });
    assert.equal(settings.slots, 4);
  });
});

describe("values", () => {
  test("are parsed from each source", async () => {
    const config = await configFile({ peer: ["a:1", "b"], open: true, memory: 1024, layers: "0-1@a" });
    const settings = await loadConfig({
      homeDirectory: home,
      flags: { config, http: ":8080", apiKey: ["abcdefgh", "ijklmnop"] },
      env: { EXO_NATIVE_DEVICE: "cpu, cuda:0", EXO_NATIVE_WIRE: "f16" },
    });
    assert.deepEqual(settings.peer, [
      { host: "a", port: 1 },
      { host: "b", port: 52_416 },
    ]);
    assert.equal(settings.open, true);
    assert.equal(settings.memory, 1024);
    assert.deepEqual(settings.layers, [{ node: "a", begin: 0, end: 1 }]);
    assert.deepEqual(settings.http, { host: null, port: 8080 });
    assert.deepEqual(settings.apiKey, ["abcdefgh", "ijklmnop"]);
    assert.deepEqual(settings.device, ["cpu", "cuda:0"]);
    assert.equal(settings.wire, "f16");
  });

  test("discovery is switched off in each source", async () => {
    const config = await configFile({ "no-discovery": true });
    for (const sources of [
      { flags: { discovery: false } },
      { env: { EXO_NATIVE_NO_DISCOVERY: "1" } },
      { flags: { config } },
    ]) {
      const settings = await loadConfig({ homeDirectory: home, env: {}, ...sources });
      assert.deepEqual(settings.discovery, []);
    }
  });

  test("peers may be invites, alone or at the end of a list", async () => {
    const invite = "exo-native://b:2,[fd00::3]:3?cluster=home";
    for (const peer of [[`a:1, ${invite}`], ["a:1", invite]]) {
      const { peer: peers } = await loadConfig({ homeDirectory: home, env: {}, flags: { peer } });
      assert.deepEqual(peers, [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
        { host: "fd00::3", port: 3 },
      ]);
    }
    for (const wrong of ["exo-native://b:2?token=x", "b:99999,exo-native://a", "xexo-native://a"]) {
      assert.match(await refusal({ flags: { peer: [wrong] } }), /^Expected addresses such as .* for --peer, received/);
    }
  });

  test("an invite brings its cluster along, unless that is named otherwise", async () => {
    const load = (flags: Record<string, unknown>) => loadConfig({ homeDirectory: home, env: {}, flags });
    assert.equal(clusterOf(await load({})), "default");
    assert.equal(clusterOf(await load({ cluster: "lab" })), "lab");
    const joined = await load({ open: true, join: "exo-native://a:1?cluster=home" });
    assert.deepEqual([clusterOf(joined), joined.join?.peers], ["home", [{ host: "a", port: 1 }]]);
    const both = { open: true, join: "exo-native://a:1?cluster=home", cluster: "lab" };
    assert.match(await refusal({ flags: both }), /"home", and --cluster names "lab"/);
    assert.match(await refusal({ flags: { join: "exo-native://a:1" } }), /add --open/);
    assert.match(await refusal({ flags: { open: true, join: "a:1" } }), /^Expected an invite of this release/);
  });

  test("discovery is decided by the node unless it is named", async () => {
    const load = (flags: Record<string, unknown>) => loadConfig({ homeDirectory: home, env: {}, flags });
    assert.deepEqual(discoveryKinds(await load({})), ["static"]);
    assert.deepEqual(discoveryKinds(await load({ open: true })), ["mdns", "static", "tailscale"]);
    assert.deepEqual(discoveryKinds(await load({ open: true, discovery: "tailscale" })), ["tailscale"]);
    assert.deepEqual(discoveryKinds(await load({ open: true, discovery: false })), []);
    // Who is named is asked all the same.
    for (const named of [{ peer: ["a:1"] }, { join: "exo-native://b:2" }, { peersFile: "/peers" }]) {
      assert.deepEqual(discoveryKinds(await load({ open: true, discovery: false, ...named })), ["static"]);
      assert.deepEqual(discoveryKinds(await load({ open: true, discovery: "mdns", ...named })), ["mdns", "static"]);
    }
    assert.match(await refusal({ flags: { discovery: "mdns,bluetooth" } }), /any of mdns, static, tailscale/);
  });

  test("are frozen all the way down", async () => {
    const settings = await loadConfig({ env: { EXO_NATIVE_PEER: "a:1" }, homeDirectory: home });
    assert.ok(Object.isFrozen(settings));
    assert.ok(Object.isFrozen(settings.peer));
    assert.ok(Object.isFrozen(settings.peer[0]));
    assert.ok(Object.isFrozen(settings.paths));
  });
});

describe("a wrong value is refused in the name the user gave it", () => {
  test("a context that is too large hears the limit", async () => {
    for (const ctx of ["999999999", "15"]) {
      assert.match(await refusal({ flags: { ctx } }), /tokens from 16 to 134217728 for --ctx, received/);
    }
  });

  test("flag", async () => {
    const message = await refusal({ flags: { slots: "many" } });
    assert.equal(message, 'Expected a whole number from 1 to 256 for --slots, received "many".');
  });

  test("variable", async () => {
    const message = await refusal({ env: { EXO_NATIVE_MIN_NODES: "0" } });
    assert.equal(message, 'Expected a whole number from 1 to 1000 for EXO_NATIVE_MIN_NODES, received "0".');
  });

  test("file key", async () => {
    const config = await configFile({ kv: "q3" });
    assert.equal(
      await refusal({ flags: { config } }),
      `Expected one of f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl for "kv" in ${config}, received "q3".`,
    );
  });

  test("wrong JSON types", async () => {
    for (const value of [{}, [], true, [["a"]]]) {
      const config = await configFile({ slots: value });
      assert.match(await refusal({ flags: { config } }), /Expected a whole number/);
    }
  });

  test("unknown file keys and broken files", async () => {
    const unknown = await configFile({ slot: 1 });
    assert.match(await refusal({ flags: { config: unknown } }), /received "slot"/);
    const broken = await configFile("{");
    assert.match(await refusal({ flags: { config: broken } }), /is not JSON/);
    const list = await configFile([]);
    assert.match(await refusal({ flags: { config: list } }), /Expected a JSON object/);
    const missing = join(home, "missing.json");
    assert.equal(
      await refusal({ flags: { config: missing } }),
      `Cannot read the configuration file ${missing}: there is no such file.`,
    );
  });

  test("secrets are not repeated", async () => {
    assert.doesNotMatch(await refusal({ flags: { apiKey: ["sh ort"] } }), /sh ort/);
  });

  test("a list with one wrong item", async () => {
    assert.match(await refusal({ flags: { peer: ["a:1", "b:99999"] } }), /for --peer, received \["a:1","b:99999"\]/);
  });
});

describe("a cache with quantized values and no flash attention", () => {
  const load = (flags: Record<string, string>) => ({ flags: { flashAttention: "off", ...flags } });

  test("is refused under the name of the setting that says so", async () => {
    assert.match(await refusal(load({ kv: "q8_0" })), /values are q8_0 needs flash attention.*--kv-v f16/);
    assert.match(await refusal(load({ kv: "f16", kvV: "q4_0" })), /values are q4_0 needs flash attention/);
  });

  test("is fine when only its keys are quantized", async () => {
    const { kv, kvV } = await loadConfig({ homeDirectory: home, env: {}, ...load({ kv: "q8_0", kvV: "f16" }) });
    assert.deepEqual([kv, kvV], ["q8_0", "f16"]);
  });
});

test("threads: what the owner says goes before this node's part of the machine", () => {
  const config = { threads: null, threadsBatch: null, mmap: true, mlock: false };
  const threadsOf = (change: Partial<typeof config | { threads: number; threadsBatch: number }>) => {
    const { threads, batchThreads } = computeSettings({ ...config, ...change }, [], 3);
    return [threads, batchThreads];
  };
  assert.deepEqual(threadsOf({}), [3, 3]);
  assert.deepEqual(threadsOf({ threads: 8 }), [8, 8]);
  assert.deepEqual(threadsOf({ threadsBatch: 6 }), [3, 6]);
  assert.deepEqual(threadsOf({ threads: 2, threadsBatch: 6 }), [2, 6]);
});

test("every option's default is a value its own type allows, and its names follow the rule", () => {
  for (const [key, option] of Object.entries(OPTIONS)) {
    assert.match(option.flag, /^[a-z]+(-[a-z]+)*$/);
    assert.equal(
      option.flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      key,
    );
    assert.match(environmentName(option.flag), /^EXO_NATIVE_[A-Z_]+$/);
  }
});

describe("--traces", () => {
  test("is a part of the requests, in words or as a number", async () => {
    for (const [text, part] of [
      ["on", 1],
      ["off", 0],
      ["0.1", 0.1],
      [".25", 0.25],
      ["1", 1],
      ["1.0", 1],
    ] as const) {
      const { traces } = await loadConfig({ homeDirectory: home, env: {}, flags: { traces: text } });
      assert.equal(traces, part);
    }
    for (const text of ["2", "-1", "half", "1.5", "1e-3", ""]) {
      assert.match(
        await refusal({ flags: { traces: text } }),
        /Expected on, off, or a number from 0 to 1 for --traces/,
      );
    }
  });
});
