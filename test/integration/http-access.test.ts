import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { runCli } from "../../src/cli/run-cli.js";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";
import { tinyGguf, writeTinyModel } from "../support/tiny-gguf.js";
import { capturedIo } from "../unit/cli-captured-io.js";
import { Hub } from "./model-hub.js";

const listed = z.object({ keys: z.array(z.object({ id: z.string(), name: z.string(), scopes: z.array(z.string()) })) });

describe("keys of a running node", () => {
  let home = "";
  let node: NodeProcess;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-native-http-keys-"));
    node = await NodeProcess.start({ name: "keyed", home });
  });
  after(async () => {
    assert.equal(await node.stop(), 0);
    await rm(home, { recursive: true, force: true });
  });

  const cli = async (...args: readonly string[]) => {
    const io = capturedIo({ env: { EXO_NATIVE_HOME: home } });
    const code = await runCli(["keys", ...args], io);
    return { code, out: io.stdout.text, err: io.stderr.text };
  };
  const status = async (path: string, key: string | null): Promise<number> => {
    const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
    return (await fetch(node.http + path, { headers })).status;
  };

  test("let in who has one, from the moment they are made until they are revoked", async () => {
    assert.equal(await status("/cluster", null), 200);
    assert.match((await cli("list")).out, /There are no keys: the HTTP API asks for none/);
    const made = await cli("create", "--name", "watcher", "--scope", "read", "--expires", "1d");
    assert.equal(made.code, 0, made.err);
    const key = made.out.trim();
    assert.match(key, /^exo-key-\S+$/, "nothing but the key on standard output");
    await eventually(async () => assert.equal(await status("/cluster", null), 401));
    assert.equal(await status("/cluster", key), 200);
    assert.equal(await status("/cluster/doctor", key), 403);
    const { out } = await cli("list", "--json");
    assert.ok(!out.includes(key) && !out.includes("sha256"));
    const [only] = listed.parse(JSON.parse(out)).keys;
    assert.deepEqual([only?.name, only?.scopes], ["watcher", ["read"]]);
    assert.equal((await cli("revoke", "watcher")).code, 0);
    await eventually(async () => assert.equal(await status("/cluster", key), 401));
    assert.equal(await status("/healthz", null), 200);
    assert.ok(!node.log.includes(key));
  });

  test("are asked for in sentences", async () => {
    for (const [args, sentence] of [
      [["create", "--scope", "all"], /Expected any of infer, read, admin/],
      [["create", "--expires", "soon"], /Expected a time such as "12h"/],
      [["revoke", "nobody"], /"nobody" cannot be revoked: there is no such key/],
    ] as const) {
      const { code, err } = await cli(...args);
      assert.notEqual(code, 0);
      assert.match(err, sentence);
    }
  });
});

describe("what somebody asks for over HTTP", () => {
  const hub = new Hub();
  const model = writeTinyModel();
  let node: NodeProcess;
  before(async () => {
    await hub.start();
    hub.serve("/tiny.gguf", { content: tinyGguf() });
    node = await NodeProcess.start({ name: "asked", args: ["--threads", "1", "--model-dir", dirname(model.path)] });
  });
  after(async () => {
    assert.equal(await node.stop(), 0);
    await hub.stop();
    model.remove();
  });

  const post = async (path: string, body: unknown) => {
    const response = await fetch(node.http + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };

  test("is not fetched from this machine or its network", async () => {
    const { text } = await post("/api/pull", { model: hub.url("/tiny.gguf"), stream: false });
    assert.match(text, /127\.0\.0\.1 is a private address.*--allow-private-downloads/);
    const waited = await post("/cluster/rings", { model: hub.url("/tiny.gguf"), wait: true });
    assert.ok(waited.status >= 400, waited.text);
    assert.match(waited.text, /is a private address/);
  });

  test("is no other file than a model, wherever it is asked for", async () => {
    const refused = /No model is loaded from [^:]*: over HTTP a path must be that of a GGUF file/;
    for (const path of ["/etc/passwd", "/etc/no-such-file", "/proc/self/environ"]) {
      for (const [route, body] of [
        ["/cluster/rings", { model: path }],
        ["/cluster/plan", { model: path }],
        ["/cluster/plan", { model: model.path, draft_model: path }],
        ["/cluster/estimate", { model: path }],
        ["/api/pull", { model: path, stream: false }],
      ] as const) {
        const { status, text } = await post(route, body);
        assert.equal(status, 404, `${route}: ${text}`);
        assert.match(text.replaceAll(path, "X"), refused);
      }
      const { text } = await post("/v1/completions", { model: path, prompt: "x" });
      assert.match(text, /none is known by that name/);
      const show = await post("/api/show", { model: path });
      assert.equal(show.status, 404);
    }
    assert.equal((await post("/cluster/rings", { model: model.path, wait: true })).status, 200);
  });
});

describe("a node that others can reach", () => {
  test("says so before it starts", async () => {
    const node = await NodeProcess.start({ name: "wide", args: ["--http", "0.0.0.0:0"] });
    const warning = node.log.indexOf("listens on 0.0.0.0 and asks for no key");
    assert.ok(warning >= 0 && warning < node.log.indexOf("node started"), node.log);
    assert.equal(await node.stop(), 0);
  });
});
