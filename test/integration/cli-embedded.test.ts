import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { packageRoot } from "../../src/core/package.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");
const TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}";

describe("run without a running node", () => {
  const model = writeTinyModel({ chatTemplate: TEMPLATE });
  const untemplated = writeTinyModel();
  let home = "";
  let nobody = "";
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-cli-"));
    nobody = `127.0.0.1:${(await choosePorts([0]))[0]}`;
  });
  after(async () => {
    model.remove();
    untemplated.remove();
    await rm(home, { recursive: true });
  });

  async function run(...args: readonly string[]) {
    // Where a node of this configuration would be, there is none.
    const env = { ...process.env, EXO_NATIVE_HOME: home, EXO_NATIVE_HTTP: nobody };
    const child = spawn(process.execPath, [MAIN, "run", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    return { code: code as unknown, out, err };
  }

  test("the process loads the model itself; the same seed gives the same answer", async () => {
    const args = [model.path, "Hello", "--max-tokens", "12", "--temperature", "1", "--seed", "7"];
    const first = await run(...args);
    assert.equal(first.code, 0, first.err);
    assert.equal(first.err, "");
    assert.notEqual(first.out.trim(), "");
    assert.equal((await run(...args)).out, first.out);
  });

  test("a model without a chat template says so, and goes on after a raw prompt", async () => {
    const chat = await run(untemplated.path, "Hello");
    assert.equal(chat.code, 1);
    assert.match(chat.err, /^error: .*no chat template.*\n$/);
    const raw = await run(untemplated.path, "Hello", "--raw", "--max-tokens", "4", "--temperature", "0");
    assert.equal(raw.code, 0, raw.err);
  });

  test("a file that is no model is exit code 1 and one sentence", async () => {
    const file = join(home, "noise.gguf");
    await writeFile(file, "This is not a model.");
    const { code, out, err } = await run(file, "Hello");
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /^error: .*noise\.gguf.*\n$/);
  });
});
