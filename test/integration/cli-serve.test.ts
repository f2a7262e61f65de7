import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";
import { NodeProcess } from "../support/node-process.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");

describe("serve", () => {
  let home = "";
  let node: NodeProcess;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-cli-"));
    node = await NodeProcess.start({ name: "first", home });
  });
  after(async () => {
    await node.stop();
    await rm(home, { recursive: true });
  });

  function spawnServe(...args: readonly string[]): ChildProcess {
    const env = { ...process.env, EXO_NATIVE_HOME: home };
    const free = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    return spawn(process.execPath, [MAIN, "serve", ...free, ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
  }

  async function ended(child: ChildProcess) {
    assert.ok(child.stdout !== null && child.stderr !== null);
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    return { code: code as unknown, out, err };
  }

  async function started(child: ChildProcess): Promise<void> {
    assert.ok(child.stderr !== null);
    for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
      if (String(chunk).includes("node started")) return;
    }
    assert.fail("the node ended before it had started");
  }

  test("a port in use is exit code 1 and a sentence that names the port and the flag", async () => {
    for (const [flag, address] of [
      ["--http", new URL(node.http).host],
      ["--grpc", node.grpc],
    ] as const) {
      const { code, out, err } = await ended(spawnServe(flag, address));
      assert.equal(code, 1);
      assert.equal(out, "");
      const sentence = err.split("\n").find((line) => line.startsWith("error: ")) ?? "";
      assert.ok(sentence.includes(address) && sentence.includes(flag), err);
    }
  });

  test("a model that is not there is exit code 1 and a sentence", async () => {
    const { code, err } = await ended(spawnServe(join(home, "nonesuch.gguf")));
    assert.equal(code, 1);
    assert.match(err, /^error: .*nonesuch\.gguf/m);
  });

  test("a device or layers that cannot be are bad usage, and said once", async () => {
    const model = writeTinyModel();
    try {
      const device = await ended(spawnServe("--device", "cuda:77"));
      assert.equal(device.code, 2);
      assert.match(device.err, /^error: There is no device "cuda:77" here; this node has cpu/m);
      const layers = await ended(spawnServe(model.path, "--name", "me", "--layers", "0-3@me"));
      assert.equal(layers.code, 2);
      assert.match(layers.err, /^error: The placement 0-3@me cannot be used: layers 3-4 are on no node\.$/m);
      const logged = layers.err.split("\n").filter((line) => line.startsWith("{") && line.includes("layers 3-4"));
      assert.equal(logged.length, 1, layers.err);
    } finally {
      model.remove();
    }
  });

  test("Ctrl-C, termination and the end of the owner stop it cleanly", async () => {
    const endings: readonly ((child: ChildProcess) => void)[] = [
      (child) => child.kill("SIGINT"),
      (child) => child.kill("SIGTERM"),
      (child) => child.disconnect(),
    ];
    for (const end of endings) {
      const child = spawnServe();
      await started(child);
      end(child);
      const { code, err } = await ended(child);
      assert.equal(code, 0, err);
      assert.doesNotMatch(err, /^error/m);
    }
  });
});
