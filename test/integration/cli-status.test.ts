import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { clusterDocument } from "../../src/cli/node-client/cluster-document.js";
import { packageRoot } from "../../src/core/package.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess, startRing } from "../support/node-process.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");

/** The program of util-linux that gives another one a terminal. */
const HAS_SCRIPT = spawnSync("script", ["--version"]).stdout?.toString().includes("util-linux") === true;

const LEAVES_OTHER_SCREEN = "\u001b[?1049l";

/** Collects what a process writes, and waits for texts in it. */
class Output {
  text = "";
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (data: Buffer) => {
      this.text += data.toString();
      child.emit("shown");
    });
  }

  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await once(this.#child, "shown");
    this.text = "";
  }
}

describe("status of a running node", { timeout: 120_000 }, () => {
  let address = "";
  let url = "";
  let node: NodeProcess;

  const startNode = (): Promise<NodeProcess> => NodeProcess.start({ name: "desk", args: ["--http", address] });

  before(async () => {
    const [port] = await choosePorts([23_471]);
    address = `127.0.0.1:${port}`;
    url = `http://${address}`;
    node = await startNode();
  });
  after(async () => {
    await node.stop();
  });

  const env = { PATH: process.env.PATH, TERM: "xterm" };

  test("--json is what the node answers, to the letter", async () => {
    const child = spawn(process.execPath, [MAIN, "status", "--json", "--url", url], { env });
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
    assert.equal(code, 0);
    const sent: unknown = await (await fetch(`${url}/cluster`)).json();
    assert.deepEqual(Object.keys(JSON.parse(out)), Object.keys(sent as object));
    const { node: self, nodes } = clusterDocument.parse(JSON.parse(out));
    assert.deepEqual([self.name, nodes.length], ["desk", 1]);
  });

  test("--watch goes on when the node is started again, and says when it lost contact", async () => {
    const child = spawn(process.execPath, [MAIN, "status", "--watch", "--url", url], { env });
    const output = new Output(child);
    await output.shows(/● desk/);
    await node.kill();
    await output.shows(/Lost contact with http:\/\/127\.0\.0\.1:\d+: No node answers/);
    node = await startNode();
    await output.shows(/● desk/);
    const closed = once(child, "close");
    child.kill("SIGINT");
    const [code] = await closed;
    assert.equal(code, 0);
  });

  test("Ctrl-C leaves the terminal as it was", { skip: !HAS_SCRIPT }, async () => {
    const command = `exec "${process.execPath}" "${MAIN}" status --watch --url ${url}`;
    const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], { env });
    const output = new Output(child);
    await output.shows(/\[\?1049h[\s\S]*\[\?25l[\s\S]*desk/);
    const closed = once(child, "close");
    // The terminal turns it into a signal for the process.
    child.stdin.write("\u0003");
    const [code] = await closed;
    assert.equal(code, 0);
    assert.ok(output.text.includes("\u001b[?25h"), "the cursor is back");
    const [, after = ""] = output.text.split(LEAVES_OTHER_SCREEN);
    assert.ok(output.text.includes(LEAVES_OTHER_SCREEN), "the first screen is back");
    assert.doesNotMatch(after, /desk/);
  });
});

describe("status of a ring", { timeout: 120_000 }, () => {
  test("layers, speed and hops while it answers", async () => {
    const nodes = await startRing(2, tinyModel(), ["--ctx", "256"]);
    try {
      const [head] = nodes;
      assert.ok(head !== undefined);
      const answered = await fetch(`${head.http}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt: "abc", max_tokens: 32, ignore_eos: true }),
      });
      assert.equal(answered.status, 200);
      await answered.text();
      const child = spawn(process.execPath, [MAIN, "status", "--url", head.http], { env: { PATH: process.env.PATH } });
      const [out, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
      assert.equal(code, 0);
      assert.match(out, /^ {2}[\d.]+ tok\/s · prompts [\d.]+ tok\/s · hop [\d.]+ ms, p99 [\d.]+ ms$/m);
      assert.match(out, /^ {2}╭▶ head \(head\) {2}\[0, 2\)/m);
      assert.match(out, /^ {2}│ {2}worker-1 +\[2, 4\)/m);
      const { rings } = clusterDocument.parse(await (await fetch(`${head.http}/cluster`)).json());
      assert.ok((rings[0]?.rates?.decode_tokens_per_second ?? 0) > 0);
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  });
});
