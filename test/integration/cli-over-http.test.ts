import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, beforeEach, describe, test } from "node:test";
import { packageRoot } from "../../src/core/package.js";
import { StubNode } from "./cli-stub-node.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");

describe("commands over a running node", () => {
  let home = "";
  let stub: StubNode;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-cli-"));
    stub = await StubNode.start();
  });
  beforeEach(() => {
    stub.answer = ["The capital ", "is Paris."];
    stub.asked.length = 0;
  });
  after(async () => {
    await stub.stop();
    await rm(home, { recursive: true });
  });

  async function exo(args: readonly string[], input = "") {
    const env = { PATH: process.env.PATH, EXO_NATIVE_HOME: home, EXO_NATIVE_URL: stub.url };
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: "pipe" });
    child.stdin.end(input);
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: code as unknown, out, err };
  }

  test("run streams the answer to stdout, and nothing else", async () => {
    const { code, out, err } = await exo([
      "run",
      "tinyllama",
      "Capital",
      "of",
      "France?",
      "--temperature",
      "0",
      "--system",
      "Be brief.",
    ]);
    assert.deepEqual({ code, out, err }, { code: 0, out: "The capital is Paris.\n", err: "" });
    assert.deepEqual(stub.asked, [
      {
        temperature: 0,
        model: "tinyllama",
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Capital of France?" },
        ],
        stream: true,
        stream_options: { include_usage: true },
      },
    ]);
  });

  test("run takes the prompt from a pipe, and another name of the model", async () => {
    const { code, out, err } = await exo(["run", "npm:x@1.0.0/y", "--stats"], "Capital of France?\n");
    assert.equal(code, 0);
    assert.equal(out, "The capital is Paris.\n");
    assert.match(err, /^\(2 tokens at 10\.0 tokens\/s, the first after \d+\.\d\d s\)\n$/);
  });

  test("a file or a pipe of the shell stands below the prompt", { skip: process.platform === "win32" }, async () => {
    const file = join(home, "report.txt");
    await writeFile(file, "It rains.\n");
    const exoNative = `"${process.execPath}" "${MAIN}"`;
    for (const line of [
      `${exoNative} run tinyllama Summarize this: < "${file}"`,
      `cat "${file}" | ${exoNative} run tinyllama "Summarize this:"`,
    ]) {
      const env = { PATH: process.env.PATH, EXO_NATIVE_HOME: home, EXO_NATIVE_URL: stub.url };
      const child = spawn("sh", ["-c", line], { env, stdio: ["ignore", "pipe", "pipe"] });
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
      assert.deepEqual({ out, err }, { out: "The capital is Paris.\n", err: "" });
    }
    const content = "Summarize this:\n\nIt rains.";
    const messages = [{ role: "user", content }];
    assert.deepEqual(
      stub.asked.map((asked) =>
        typeof asked === "object" && asked !== null && "messages" in asked ? asked.messages : null,
      ),
      [messages, messages],
    );
  });

  test("an input that another program left open is not waited for when there is a prompt", async () => {
    const env = { PATH: process.env.PATH, EXO_NATIVE_HOME: home, EXO_NATIVE_URL: stub.url };
    const child = spawn(process.execPath, [MAIN, "run", "tinyllama", "Hello?"], { env, stdio: "pipe" });
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
    child.stdin.destroy();
    assert.deepEqual({ code, out }, { code: 0, out: "The capital is Paris.\n" });
  });

  test("Ctrl-C in the middle of one answer hangs up and is exit code 1", async () => {
    stub.answer = null;
    const before = stub.hungUp;
    const env = { PATH: process.env.PATH, EXO_NATIVE_HOME: home, EXO_NATIVE_URL: stub.url };
    const child = spawn(process.execPath, [MAIN, "run", "tinyllama", "Tell"], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const err = text(child.stderr);
    const closed = once(child, "close");
    await once(child.stdout, "data");
    child.kill("SIGINT");
    const [code] = await closed;
    assert.equal(code, 1);
    assert.equal(await err, "error: Stopped before the answer had ended.\n");
    assert.equal(stub.hungUp, before + 1);
  });

  test("run with --url of a node that lacks the model says what it has", async () => {
    const { code, out, err } = await exo(["run", "gemma", "hi"]);
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /has no model "gemma"\. It has tinyllama\.\n$/);
  });

  test("status draws the ring", async () => {
    const { code, out } = await exo(["status"]);
    assert.equal(code, 0);
    assert.match(out, /╭▶ node-a \(head\) {2}\[0, 11\)/);
  });

  test("status --json is one document, as the API gave it", async () => {
    const { code, out, err } = await exo(["status", "--json"]);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.equal(JSON.parse(out).rings[0].model, "tinyllama");
  });

  test("a reader that leaves early is no failure", async () => {
    const env = { PATH: process.env.PATH, EXO_NATIVE_HOME: home, EXO_NATIVE_URL: stub.url };
    const child = spawn(process.execPath, [MAIN, "status", "--watch"], { env, stdio: ["ignore", "pipe", "pipe"] });
    const closed = once(child, "close");
    await once(child.stdout, "data");
    child.stdout.destroy();
    const [[code], err] = await Promise.all([closed, text(child.stderr)]);
    assert.equal(code, 0);
    assert.equal(err, "");
  });
});
