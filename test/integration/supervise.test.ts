import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type CrashReport, crashReport } from "../../src/cli/supervise/crash-report.js";
import { packageRoot } from "../../src/core/package.js";
import { eventually } from "../support/eventually.js";
import { gone, noProcessTable, residentBytes } from "../support/process-table.js";
import { noPty, Pty } from "../support/pty.js";
import { SupervisedNode } from "../support/supervised-node.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");
const TIMEOUT = { timeout: 240_000 };

interface ClusterView {
  readonly nodes: readonly { readonly id: string; readonly name: string; readonly state: string }[];
  readonly rings: readonly { readonly state: string; readonly stages: readonly { readonly node: string }[] }[];
}

async function clusterAt(url: string): Promise<ClusterView> {
  return (await (await fetch(`${url}/cluster`)).json()) as ClusterView;
}

describe("a supervised node", { skip: noProcessTable }, () => {
  const model = writeTinyModel();
  let home = "";
  const nodes: SupervisedNode[] = [];
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-supervised-"));
  });
  after(async () => {
    for (const node of nodes) node.process.kill("SIGKILL");
    model.remove();
    await rm(home, { recursive: true, maxRetries: 5 });
  });

  function serve(...args: readonly string[]): SupervisedNode {
    const node = new SupervisedNode(home, args);
    nodes.push(node);
    return node;
  }

  async function reportsOf(name: string): Promise<readonly CrashReport[]> {
    const directory = join(home, "crashes");
    const names = (await readdir(directory)).sort();
    const all = await Promise.all(names.map((file) => readFile(join(directory, file), "utf8")));
    return all.map((text) => crashReport.parse(JSON.parse(text))).filter((report) => report.name === name);
  }

  test("comes back after each kind of end, at the same addresses and with the same id", TIMEOUT, async () => {
    const node = serve("--name", "phoenix");
    const first = await node.started();
    const { nodes: before } = await clusterAt(first.http);
    for (const [index, signal] of (["SIGSEGV", "SIGKILL", "SIGABRT"] as const).entries()) {
      process.kill(await node.nodePid(), signal);
      const again = await node.started(index + 2);
      assert.deepEqual([again.http, again.grpc], [first.http, first.grpc]);
    }
    const { nodes: now } = await clusterAt(first.http);
    assert.equal(now[0]?.id, before[0]?.id);
    const told = node.log.split("\n").filter((line) => line.includes("The node crashed: it "));
    assert.equal(told.length, 3, node.log);
    assert.ok(told.every((line) => (JSON.parse(line) as { level: string }).level === "error"));
    assert.deepEqual(
      (await reportsOf("phoenix")).map(({ kind, signal, started }) => [kind, signal, started]),
      [
        ["signal", "SIGSEGV", true],
        ["killed", "SIGKILL", true],
        ["assertion", "SIGABRT", true],
      ],
    );
    const [report] = await reportsOf("phoenix");
    assert.ok(report?.log.some((line) => line.includes('"node started"')));
    assert.equal(await node.stop(), 0);
  });

  test("ends with its supervisor, however that goes", TIMEOUT, async () => {
    const node = serve();
    await node.started();
    const pid = await node.nodePid();
    node.process.kill("SIGKILL");
    await gone(pid);
  });

  test("its supervisor is small: no native code, no gRPC", TIMEOUT, async () => {
    const node = serve();
    await node.started();
    const maps = await readFile(`/proc/${node.pid}/maps`, "utf8");
    assert.doesNotMatch(maps, /\.node$|libllama|libggml/m);
    const [own, child] = [await residentBytes(node.pid), await residentBytes(await node.nodePid())];
    assert.ok(own !== null && child !== null && own < child, `${own} and ${child} bytes`);
    assert.equal(await node.stop(), 0);
  });

  test("without supervision the process is the node", TIMEOUT, async () => {
    const node = serve("--no-supervise");
    await node.started();
    node.process.kill("SIGSEGV");
    await node.ended();
    assert.equal(node.process.signalCode, "SIGSEGV");
  });

  test("a worker that is killed comes back by itself and is used again", TIMEOUT, async () => {
    const worker = serve("--name", "worker", "--threads", "1");
    const { grpc } = await worker.started();
    const split = ["--layers", "0-2@head,2-4@worker", "--peer", grpc];
    const head = serve(model.path, "--name", "head", "--threads", "1", ...split);
    const { http } = await head.started();
    const isWhole = async (): Promise<void> => {
      const [ring] = (await clusterAt(http)).rings;
      assert.deepEqual([ring?.state, ring?.stages.length], ["ready", 2]);
    };
    await eventually(isWhole, 30_000);
    const before = await answer(http, "tiny");
    process.kill(await worker.nodePid(), "SIGKILL");
    await worker.started(2);
    await eventually(async () => {
      await isWhole();
      assert.equal(await answer(http, "tiny"), before);
    }, 30_000);
    const [report] = await reportsOf("worker");
    assert.deepEqual(report?.stages, [{ path: model.path, layerBegin: 2, layerEnd: 4 }]);
    assert.equal(await head.stop(), 0);
    assert.equal(await worker.stop(), 0);
  });

  test("a model that crashes it again and again is left out, and the node is there without it", TIMEOUT, async () => {
    const node = serve(model.path, "--name", "poisoned", "--threads", "1");
    for (let time = 1; time <= 3; time++) {
      const { http } = await node.started(time);
      await eventually(async () => assert.equal((await fetch(`${http}/readyz`)).status, 200), 30_000);
      process.kill(await node.nodePid(), "SIGSEGV");
    }
    await node.says(/again and again with .*refuses this model/);
    const { http } = await node.started(4);
    await node.says(/the node is up without its model/);
    assert.equal((await fetch(`${http}/healthz`)).status, 200);
    const asked = await fetch(`${http}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", prompt: "Hello", max_tokens: 1 }),
    });
    assert.equal(asked.status, 503);
    assert.match(await asked.text(), /crashed 3 times in a row with .*doctor tells/);
    assert.equal(await node.stop(), 0);
  });

  test("on a terminal bars and colours are as without, and Ctrl-C ends both", { skip: noPty, ...TIMEOUT }, async () => {
    const env = { PATH: process.env.PATH, TERM: "xterm-256color", EXO_NATIVE_HOME: home };
    const command = [process.execPath, MAIN, "serve", model.path, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    const terminal = Pty.start(command, { env });
    await terminal.shows("chat page");
    await terminal.shows("ready  tiny");
    assert.ok(terminal.raw.includes("\u001b[32mready"), terminal.raw);
    await delay(100);
    terminal.type("\u0003");
    await terminal.shows("stopping; Ctrl-C again ends at once");
    assert.equal(await terminal.ended(), 0);
  });
});

async function answer(url: string, model: string): Promise<string> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt: "Hello", max_tokens: 8, temperature: 0 }),
  });
  const body = (await response.json()) as { choices?: { text: string }[] };
  return body.choices?.[0]?.text ?? assert.fail(JSON.stringify(body));
}
