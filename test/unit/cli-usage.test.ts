import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCli } from "../../src/cli/run-cli.js";
import { systemDownloadIo } from "../../src/model/download-io.js";
import { SparseFile, sha256 } from "../../src/model/sparse/sparse-file.js";
import { capturedIo } from "./cli-captured-io.js";

/** A port on which nothing listens: the discard service, which nobody runs. */
const NOBODY = "http://127.0.0.1:9";

describe("command line", () => {
  let home = "";
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-cli-"));
  });
  after(() => rm(home, { recursive: true }));

  async function cli(...args: readonly string[]) {
    const io = capturedIo({ env: { EXO_NATIVE_HOME: home } });
    const code = await runCli(args, io);
    return { code, out: io.stdout.text, err: io.stderr.text };
  }

  test("help goes to stdout and exits 0, for the whole and for each command", async () => {
    const whole = await cli("--help");
    assert.equal(whole.code, 0);
    assert.equal(whole.err, "");
    for (const name of ["serve", "run", "status", "bench", "models", "doctor", "demo", "completion"]) {
      assert.match(whole.out, new RegExp(`^ {2}${name}\\b`, "m"));
      const one = await cli(name, "--help");
      assert.equal(one.code, 0, name);
      assert.match(one.out, new RegExp(`^Usage: exo-native ${name}`), name);
    }
    assert.doesNotMatch(whole.out, /model-names/, "what only scripts use is hidden");
  });

  test("every command's help ends with examples of itself", async () => {
    for (const name of ["serve", "run", "status", "plan", "estimate", "bench", "doctor", "demo", "completion"]) {
      assert.match((await cli(name, "--help")).out, new RegExp(`\\nExamples:\\n[\\s\\S]*exo-native ${name}`), name);
    }
    for (const name of ["list", "pull", "rm", "verify"]) {
      const { out } = await cli("models", name, "--help");
      assert.match(out, new RegExp(`\\nExamples:\\n {2}exo-native models ${name}`), name);
    }
  });

  test("completion prints a script, and the names that it asks for", async () => {
    const script = await cli("completion", "bash");
    assert.equal(script.code, 0);
    assert.match(script.out, /^complete -F _exo_native exo-native$/m);
    assert.equal((await cli("completion", "tcsh")).code, 2);
    const names = await cli("model-names", "--url", NOBODY);
    assert.deepEqual({ code: names.code, err: names.err }, { code: 0, err: "" });
    assert.match(names.out, /^tinyllama$/m);
  });

  test("colours where they are wanted", async () => {
    const help = async (env: Record<string, string>): Promise<string> => {
      const io = capturedIo({ env: { EXO_NATIVE_HOME: home, ...env } });
      await runCli(["--help"], io);
      return io.stdout.text;
    };
    assert.ok(!(await help({})).includes("\u001b["));
    assert.ok((await help({ FORCE_COLOR: "1" })).includes("\u001b["));
    assert.ok(!(await help({ FORCE_COLOR: "1", NO_COLOR: "1" })).includes("\u001b["));
  });

  test("help fits 80 columns", async () => {
    for (const args of [
      ["--help"],
      ["serve", "--help"],
      ["run", "--help"],
      ["bench", "--help"],
      ["doctor", "--help"],
      ["models", "pull", "--help"],
      ["completion", "--help"],
      ["demo", "--help"],
    ]) {
      const { out } = await cli(...args);
      const tooLong = out.split("\n").filter((line) => line.length > 80);
      assert.deepEqual(tooLong, [], args.join(" "));
    }
  });

  test("an unknown command or option is bad usage and comes with a suggestion", async () => {
    const command = await cli("srve");
    assert.equal(command.code, 2);
    assert.match(command.err, /unknown command 'srve'[\s\S]*Did you mean serve\?/);
    const option = await cli("serve", "--htp", ":1");
    assert.equal(option.code, 2);
    assert.match(option.err, /unknown option '--htp'[\s\S]*Did you mean --http\?/);
  });

  test("no command, a missing or a surplus argument is bad usage", async () => {
    for (const args of [[], ["run"], ["models"], ["models", "rm"], ["models", "pull"], ["status", "everything"]]) {
      const { code, out } = await cli(...args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(out, "", args.join(" "));
    }
  });

  test("a value that cannot be read is bad usage, named as it was given", async () => {
    const flag = await cli("status", "--log-level", "loud");
    assert.equal(flag.code, 2);
    assert.match(flag.err, /^error: Expected one of .* for --log-level, received "loud"\.\n$/);
    const sampling = await cli("run", "m", "hi", "--temperature", "warm");
    assert.equal(sampling.code, 2);
    assert.match(sampling.err, /--temperature.*Expected a number from 0 to 100/);
    const url = await cli("status", "--url", "http://exa mple");
    assert.equal(url.code, 2);
    assert.match(url.err, /for --url, received "http:\/\/exa mple"/);
  });

  test("a failure is one sentence on stderr and exit code 1", async () => {
    const { code, out, err } = await cli("status", "--url", NOBODY);
    assert.equal(code, 1);
    assert.equal(out, "");
    assert.match(err, /^error: No node answers at http:\/\/127\.0\.0\.1:9\. .*exo-native serve.*\n$/);
  });

  test("--log-level debug adds the stack and the cause", async () => {
    const { code, err } = await cli("status", "--url", NOBODY, "--log-level", "debug");
    assert.equal(code, 1);
    assert.match(err, /\n {4}at /);
    assert.match(err, /caused by /);
  });

  test("a prompt must come from somewhere", async () => {
    const io = capturedIo({ env: { EXO_NATIVE_HOME: home } });
    io.stdin.end();
    assert.equal(await runCli(["run", "m", "--url", NOBODY], io), 2);
    assert.match(io.stderr.text, /There is no prompt/);
  });

  test("models: an empty cache lists what is known by name, as text and as JSON", async () => {
    const text = await cli("models", "list");
    assert.equal(text.code, 0);
    assert.match(text.out, /No models are kept here yet\.[\s\S]*tinyllama/);
    const { code, out } = await cli("models", "list", "--json");
    assert.equal(code, 0);
    const document: unknown = JSON.parse(out);
    assert.deepEqual(Object.keys(document as object), ["directory", "models", "known"]);
  });

  test("models: a part is listed as such, checked, and removed", async (context) => {
    const own = mkdtempSync(join(tmpdir(), "exo-native-part-"));
    context.after(() => rmSync(own, { recursive: true, force: true }));
    const directory = join(own, "models", "m-000000000000");
    mkdirSync(directory, { recursive: true });
    const manifest = { spec: "https://host.example/m.gguf", id: "m", completedAt: null, files: [] };
    writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
    const file = await SparseFile.open(
      join(directory, "m.gguf"),
      { bytes: 10 * 2 ** 20, version: null },
      systemDownloadIo,
    );
    const block = Buffer.alloc(2 ** 20, 7);
    await file.write(3, block, sha256(block));
    await file.close();
    const here = async (...args: string[]) => {
      const io = capturedIo({ env: { EXO_NATIVE_HOME: own } });
      return { code: await runCli(args, io), out: io.stdout.text, err: io.stderr.text };
    };
    assert.match((await here("models", "list")).out, /^m +1\.00 MiB of 10\.0 MiB +https:/);
    const { models } = JSON.parse((await here("models", "list", "--json")).out) as { models: object[] };
    assert.deepEqual(models, [
      {
        id: "m",
        spec: manifest.spec,
        directory,
        path: null,
        bytes: 2 ** 20,
        total: 10 * 2 ** 20,
        complete: false,
        completed_at: null,
      },
    ]);
    assert.match((await here("models", "verify")).out, /^m is as it was fetched, as far as it is here \(1 blocks\)/);
    writeFileSync(join(directory, "m.gguf"), Buffer.alloc(10 * 2 ** 20));
    const damaged = await here("models", "verify", "m");
    assert.equal(damaged.code, 1);
    assert.match(damaged.out, /had 1 damaged of 1 blocks; they are fetched again/);
    assert.match(damaged.err, /What is damaged is fetched again when it is needed/);
    assert.equal((await here("models", "rm", "m")).code, 0);
    assert.match((await here("models", "list")).out, /No models are kept here yet/);
  });

  test("models: what is not there cannot be removed or verified", async () => {
    for (const name of ["rm", "verify"]) {
      const { code, err } = await cli("models", name, "nonesuch");
      assert.equal(code, 1);
      assert.match(err, /There is no model "nonesuch" in the cache/);
    }
  });
});
