import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { packageRoot } from "../../src/core/package.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");
const TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}";

describe("demo", () => {
  const model = writeTinyModel({ chatTemplate: TEMPLATE });
  let home = "";
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-cli-"));
  });
  after(async () => {
    model.remove();
    await rm(home, { recursive: true });
  });

  function spawnDemo(...args: readonly string[]): ChildProcess {
    const env = { ...process.env, EXO_NATIVE_HOME: home };
    // Its own ports may be another demo's.
    const ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    return spawn(process.execPath, [MAIN, "demo", "--model", model.path, ...ports, ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async function ended(child: ChildProcess) {
    assert.ok(child.stdout !== null && child.stderr !== null);
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    return { code: code as unknown, out, err };
  }

  /** What the demo printed until both nodes are up and the answer is there. */
  async function up(child: ChildProcess): Promise<string> {
    assert.ok(child.stdout !== null);
    let out = "";
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
      out += String(chunk);
      if (out.includes("Both nodes stay up")) return out;
    }
    assert.fail(`the demo ended early: ${out}`);
  }

  test("two processes answer as one ring, and none is left", async () => {
    const { code, out, err } = await ended(spawnDemo("--once", "--prompt", "Hello?"));
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.match(out, /╭▶ node-a \(head\) {2}\[0, \d\)/);
    assert.match(out, /│ {2}node-b .* \[\d, 4\)/);
    assert.match(out, />>> Hello\?\n[\s\S]*\(\d+ tokens? at [\d.]+ tokens\/s, the first after/);
    const url = /Chat page: +(\S+)/.exec(out)?.[1] ?? "";
    await assert.rejects(fetch(new URL("/healthz", url)), "the head has stopped");
  });

  test("stays up until Ctrl-C, then stops both nodes and exits 0", async () => {
    const child = spawnDemo();
    const url = /Chat page: +(\S+)/.exec(await up(child))?.[1] ?? "";
    assert.equal((await fetch(new URL("/readyz", url))).status, 200);
    child.kill("SIGINT");
    const { code, out, err } = await ended(child);
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.match(out, /stopping both nodes/);
    await assert.rejects(fetch(new URL("/healthz", url)));
  });

  test("says which node died and why, and stops the other", { skip: process.platform !== "linux" }, async () => {
    const child = spawnDemo();
    const url = /Chat page: +(\S+)/.exec(await up(child))?.[1] ?? "";
    process.kill(await childNamed(child, "node-b"), "SIGKILL");
    const { code, err } = await ended(child);
    assert.equal(code, 1);
    assert.equal(err, "error: The node node-b went away: it was ended by SIGKILL.\n");
    await assert.rejects(fetch(new URL("/healthz", url)));
  });

  test("nodes stop when the demo itself is killed", async () => {
    const child = spawnDemo();
    const url = /Chat page: +(\S+)/.exec(await up(child))?.[1] ?? "";
    child.kill("SIGKILL");
    while (await isThere(url)) await delay(50);
  });
});

/** The process id of the demo's node of that name. */
async function childNamed(demo: ChildProcess, name: string): Promise<number> {
  const children = await readFile(`/proc/${demo.pid}/task/${demo.pid}/children`, "utf8");
  for (const id of children.trim().split(" ").map(Number)) {
    const command = (await readFile(`/proc/${id}/cmdline`, "utf8")).split("\0");
    if (command[command.indexOf("--name") + 1] === name) return id;
  }
  return assert.fail(`the demo has no process for ${name}`);
}

async function isThere(url: string): Promise<boolean> {
  return fetch(new URL("/healthz", url)).then(
    () => true,
    () => false,
  );
}
