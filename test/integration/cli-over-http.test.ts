import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
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
