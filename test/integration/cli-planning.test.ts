import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCli } from "../../src/cli/run-cli.js";
import { tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { capturedIo } from "../unit/cli-captured-io.js";

const SHAPE = {
  hidden_size: 2048,
  num_hidden_layers: 16,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 8192,
  vocab_size: 128_256,
};

describe("exo-native plan and estimate", () => {
  let home = "";
  const model = tinyModel();
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-cli-planning-"));
  });
  after(() => rm(home, { recursive: true }));

  /** Nothing listens at this address, so this process plans for its machine. */
  async function cli(...args: readonly string[]) {
    const io = capturedIo({ env: { EXO_NATIVE_HOME: home, EXO_NATIVE_HTTP: "127.0.0.1:9" } });
    const code = await runCli(args, io);
    return { code, out: io.stdout.text, err: io.stderr.text };
  }

  test("without a node the plan is for this machine alone, and says so", async () => {
    const { code, out, err } = await cli("plan", model, "--ctx", "128");
    assert.equal(code, 0, err);
    assert.match(err, /No node runs at .*, so this is for this machine alone\./);
    assert.match(out, /^tiny {2}for memory-weighted · 4 layers · context 128 · 4 slots$/m);
    assert.match(out, /\(head\) +\[0, 4\)/);
    assert.match(out, /- Layers are dealt out in proportion to memory, because nothing is measured/);
  });

  test("--json prints one document", async () => {
    const { out } = await cli("plan", model, "--json", "--slots", "2");
    const plan = JSON.parse(out);
    assert.equal(plan.slots, 2);
    assert.equal(plan.stages[0].layer_end, 4);
  });

  test("estimate: of a file, for imagined machines", async () => {
    const { code, out } = await cli("estimate", model, "--memory", "64MiB,64MiB", "--ctx", "128", "--slots", "1");
    assert.equal(code, 0);
    assert.match(out, /weights +\d/);
    assert.match(out, /- It fits on machine-1 alone\./);
  });

  test("estimate --exact: beside what llama.cpp's loader counts", async () => {
    const { code, out, err } = await cli("estimate", model, "--exact", "--ctx", "256", "--slots", "1", "--json");
    assert.equal(code, 0, err);
    const { memory, accounted } = JSON.parse(out);
    assert.equal(accounted.weights, memory.weights);
    assert.equal(accounted.kv_cache, memory.kv_cache);
    assert.match((await cli("estimate", model, "--exact")).out, /^ {2}llama\.cpp counts +[\d.]+ [KM]iB/m);
  });

  test("estimate: of a shape", async () => {
    const file = join(home, "config.json");
    await writeFile(file, JSON.stringify(SHAPE));
    const { out } = await cli("estimate", file, "--quant", "Q8_0", "--memory", "1GiB", "--json");
    const estimate = JSON.parse(out);
    assert.equal(estimate.quantisation, "Q8_0");
    assert.equal(estimate.fit, "no");
    assert.ok(Math.abs(estimate.parameters - 1.5e9) < 0.1e9);
  });

  test("what was typed wrongly is bad usage or one sentence", async () => {
    assert.equal((await cli("estimate", model, "--quant", "Q8_0")).code, 2);
    assert.equal((await cli("estimate", model, "--link", "fast")).code, 2);
    const memory = await cli("estimate", model, "--memory", "much");
    assert.equal(memory.code, 1);
    assert.match(memory.err, /^(?:No node.*\n)?error: Expected a number of bytes or a size such as "16GiB"/);
    assert.match((await cli("estimate", join(home, "none.json"))).err, /Cannot read .*none\.json/);
  });
});

describe("a running node", () => {
  const model = tinyModel();
  let ring: readonly NodeProcess[] = [];
  before(async () => {
    ring = await startRing(2, model, ["--ctx", "128", "--slots", "2"]);
  });
  after(() => Promise.all(ring.map((node) => node.stop())));

  test("plans and estimates for its cluster", async () => {
    const [node] = ring;
    const ask = async (command: string) => {
      const io = capturedIo({ env: {} });
      assert.equal(await runCli([command, model, "--url", node?.http ?? "", "--json"], io), 0, io.stderr.text);
      return JSON.parse(io.stdout.text);
    };
    const plan = await ask("plan");
    assert.equal(plan.stages.length, 2);
    assert.equal(plan.slots, 2);
    assert.equal((await ask("estimate")).nodes.length, 2);
  });
});
