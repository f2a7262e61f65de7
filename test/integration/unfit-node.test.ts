import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { clusterAt, readyRingsAt, sendJson } from "../support/cluster-view.js";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";
import { tinyGguf } from "../support/tiny-gguf.js";
import { Hub } from "./model-hub.js";

const planSchema = z.object({
  stages: z.array(z.object({ node_name: z.string() })),
  unused: z.array(z.object({ node_name: z.string(), reason: z.string() })),
});

const LEFT_OUT = /it is left out until \d\d:\d\d, because it could not load its stage: .*models.* cannot be written/;

describe("a node that cannot load its stage, in a cluster of processes", () => {
  const hub = new Hub();
  let home = "";
  before(async () => {
    await hub.start();
    home = await mkdtemp(join(tmpdir(), "exo-unfit-"));
    // Where the directory of models should be there is a file: nothing can be fetched.
    await writeFile(join(home, "models"), "");
  });
  after(async () => {
    await hub.stop();
    await rm(home, { recursive: true, force: true });
  });

  test("is left out and told of; the model waits for another node, and is loaded with that", async (context) => {
    const url = hub.serve("/tiny.gguf", { content: tinyGguf({ layers: 4, contextLength: 128 }) });
    const settings = ["--threads", "1", "--ctx", "128", "--strategy", "memory-weighted"];
    const start = async (name: string, options: { readonly home?: string }, ...args: readonly string[]) => {
      const node = await NodeProcess.start({ name, args: [...settings, ...args], ...options });
      context.after(() => node.stop());
      return node;
    };
    const bad = await start("bad", { home });
    const head = await start("head", {}, url, "--min-nodes", "2", "--peer", bad.grpc);
    await eventually(async () => {
      const [ring] = (await clusterAt(head)).rings;
      assert.equal(ring?.state, "waiting");
      assert.match(ring.reason ?? "", /^Waiting for nodes: 1 of 2 are here\. bad is not used: /);
      assert.match(ring.reason ?? "", LEFT_OUT);
    }, 30_000);
    assert.ok(head.running && bad.running);

    const good = await start("good", {}, "--peer", head.grpc);
    await good.ready();
    const [ring] = await readyRingsAt(head);
    assert.deepEqual(ring?.stages.map((stage) => stage.node_name).sort(), ["good", "head"]);
    assert.ok(ring.plan.some((sentence) => sentence.startsWith("bad is not used: ") && LEFT_OUT.test(sentence)));
    // Any node knows it when it is asked for a plan.
    const plan = planSchema.parse(await (await sendJson(good, "POST", "/cluster/plan", { model: url })).json());
    assert.deepEqual(plan.stages.map((stage) => stage.node_name).sort(), ["good", "head"]);
    assert.match(plan.unused.find(({ node_name }) => node_name === "bad")?.reason ?? "", LEFT_OUT);
    const body = { model: url, prompt: "Once", max_tokens: 2, temperature: 0, ignore_eos: true };
    assert.equal((await sendJson(good, "POST", "/v1/completions", body)).status, 200);
  });
});
