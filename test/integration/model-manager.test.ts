import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { clusterAt, readyRingsAt, sendJson } from "../support/cluster-view.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";

const model = tinyModel();
const other = tinyModel({ seed: 2 });

const completionSchema = z.object({ model: z.string(), choices: z.array(z.object({ text: z.string() })).min(1) });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const modelsSchema = z.object({
  data: z.array(z.object({ id: z.string(), aliases: z.array(z.string()), status: z.object({ value: z.string() }) })),
});

/** Nodes that know each other, stopped when the test ends. */
async function startNodes(
  context: TestContext,
  names: readonly string[],
  args: readonly string[],
): Promise<readonly NodeProcess[]> {
  const nodes: NodeProcess[] = [];
  for (const name of names) {
    const peers = nodes.flatMap((node) => ["--peer", node.grpc]);
    const node = await NodeProcess.start({ name, args: ["--threads", "1", "--ctx", "128", ...args, ...peers] });
    context.after(() => node.stop());
    nodes.push(node);
  }
  for (const node of nodes) {
    await eventually(async () => {
      const alive = (await clusterAt(node)).nodes.filter(({ state }) => state === "alive");
      assert.equal(alive.length, names.length);
    });
  }
  return nodes;
}

function nodeAt(nodes: readonly NodeProcess[], index: number): NodeProcess {
  const node = nodes[index];
  assert.ok(node !== undefined);
  return node;
}

async function complete(node: NodeProcess, name: string): Promise<z.infer<typeof completionSchema>> {
  const body = { model: name, prompt: "Once upon a time", max_tokens: 4, temperature: 0 };
  const response = await sendJson(node, "POST", "/v1/completions", body);
  const answer: unknown = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return completionSchema.parse(answer);
}

async function errorOf(response: Response) {
  const { error } = errorSchema.parse(await response.json());
  return { status: response.status, ...error };
}

describe("the same command on every machine", () => {
  test("makes one ring of all of them, and every one answers", async (context) => {
    const nodes = await startNodes(context, ["one", "two", "three"], [model, "--min-nodes", "3"]);
    await Promise.all(nodes.map((node) => node.ready()));
    for (const node of nodes) {
      const [ring, ...more] = (await clusterAt(node)).rings;
      assert.deepEqual(more, []);
      assert.equal(ring?.stages.length, 3);
      assert.equal((await complete(node, model)).choices.length, 1);
    }
    const loads = nodes.flatMap((node) => [...node.log.matchAll(/"msg":"ring ready"/g)]);
    assert.equal(loads.length, 1);
  });

  test("has its head where a placement by hand begins, whichever node decides", async (context) => {
    const nodes = await startNodes(context, ["one", "two"], [model, "--layers", "0-3@two,3-4@one"]);
    await Promise.all(nodes.map((node) => node.ready()));
    for (const node of nodes) {
      const [ring, ...more] = (await clusterAt(node)).rings;
      assert.deepEqual(more, []);
      assert.deepEqual(
        ring?.stages.map(({ node_name }) => node_name),
        ["two", "one"],
      );
    }
  });

  test("goes on without its head, and is one ring again when that is back", async (context) => {
    const nodes = await startNodes(context, ["one", "two"], [model, "--min-nodes", "1"]);
    await Promise.all(nodes.map((node) => node.ready()));
    await eventually(async () => assert.equal((await readyRingsAt(nodeAt(nodes, 0))).length, 1));
    const [ring] = await readyRingsAt(nodeAt(nodes, 0));
    const head = nodes.find((node) => node.name === ring?.stages[0]?.node_name);
    const left = nodes.find((node) => node !== head);
    assert.ok(head !== undefined && left !== undefined);
    await head.kill();
    await eventually(async () => {
      const [next] = await readyRingsAt(left);
      assert.equal(next?.stages[0]?.node_name, left.name);
    });
    await complete(left, model);
    const back = await NodeProcess.start({
      name: "back",
      args: ["--threads", "1", "--ctx", "128", model, "--peer", left.grpc],
    });
    context.after(() => back.stop());
    await back.ready();
    await eventually(async () => {
      for (const node of [left, back]) assert.equal((await clusterAt(node)).rings.length, 1);
    });
    assert.equal((await complete(back, model)).choices.length, 1);
  });
});

describe("a model that is not loaded", () => {
  test("is loaded once for all who ask for it, through any node", async (context) => {
    const nodes = await startNodes(context, ["one", "two", "three"], ["--on-demand", "any"]);
    const asked = nodeAt(nodes, 2);
    const answers = await Promise.all([1, 2, 3].map(() => complete(asked, model)));
    assert.equal(new Set(answers.map(({ choices }) => choices[0]?.text)).size, 1);
    assert.equal((await readyRingsAt(asked)).length, 1);
    const loads = nodes.flatMap((node) => [...node.log.matchAll(/"msg":"ring ready"/g)]);
    assert.equal(loads.length, 1);
    await eventually(async () => assert.equal((await readyRingsAt(nodeAt(nodes, 0))).length, 1));
    assert.deepEqual(
      await complete(nodeAt(nodes, 0), model).then(({ choices }) => choices[0]?.text),
      answers[0]?.choices[0]?.text,
    );
  });

  test("is unloaded when nobody asks any more, and loaded again when somebody does", async (context) => {
    const [node] = await startNodes(context, ["one"], ["--on-demand", "any", "--keep-alive", "1s"]);
    assert.ok(node !== undefined);
    const before = await complete(node, model);
    await eventually(async () => assert.deepEqual((await clusterAt(node)).rings, []));
    assert.deepEqual((await complete(node, model)).choices, before.choices);
  });

  test("streams as soon as it is loaded, and is listed with how it stands", async (context) => {
    const [node] = await startNodes(context, ["one"], ["--on-demand", "any"]);
    assert.ok(node !== undefined);
    const body = { model, prompt: "Once", max_tokens: 4, stream: true };
    const streamed = await (await sendJson(node, "POST", "/v1/completions", body)).text();
    assert.match(streamed, /"finish_reason":"(length|stop)"[\s\S]*data: \[DONE\]\s*$/);
    const { data } = modelsSchema.parse(await (await fetch(`${node.http}/v1/models`)).json());
    assert.deepEqual([data[0]?.status.value, data[0]?.aliases], ["loaded", [model]]);
    assert.equal(data.find(({ id }) => id === "tinyllama")?.status.value, "unloaded");
  });

  test("is refused with the reason when it is not known, cannot be read, or may not be loaded", async (context) => {
    const [known, off] = [
      ...(await startNodes(context, ["known"], [])),
      ...(await startNodes(context, ["off"], ["--on-demand", "off"])),
    ];
    assert.ok(known !== undefined && off !== undefined);
    const ask = (node: NodeProcess, name: string) =>
      sendJson(node, "POST", "/v1/completions", { model: name, prompt: "x" }).then(errorOf);
    assert.deepEqual((await ask(known, "nonesuch")).status, 404);
    // A path is known only where any model may be named.
    assert.deepEqual((await ask(known, model)).status, 404);
    assert.match((await ask(off, "tinyllama")).message, /--on-demand off/);
    const broken = await sendJson(known, "POST", "/cluster/rings", { model: "/nowhere/none.gguf", wait: true });
    assert.deepEqual((await errorOf(broken)).status, 404);
  });
});

describe("a node that comes later", () => {
  test("takes its share of a ring that deals layers out by memory", async (context) => {
    const [first] = await startNodes(context, ["first"], [model, "--strategy", "memory-weighted"]);
    assert.ok(first !== undefined);
    await first.ready();
    const before = await complete(first, model);
    const second = await NodeProcess.start({ name: "second", args: ["--threads", "1", "--peer", first.grpc] });
    context.after(() => second.stop());
    await eventually(async () => {
      const [ring] = await readyRingsAt(first);
      assert.deepEqual(
        ring?.stages.map(({ node_name }) => node_name),
        ["first", "second"],
      );
      assert.match(ring?.plan[0] ?? "", /a node has come/);
    }, 30_000);
    assert.deepEqual((await complete(first, model)).choices, before.choices);
    assert.doesNotMatch(first.log, /"level":50/);
  });
});

describe("loading by request", () => {
  test("two models at once, of which one is unloaded through another node", async (context) => {
    const nodes = await startNodes(context, ["one", "two"], []);
    const [first, second] = [nodeAt(nodes, 0), nodeAt(nodes, 1)];
    for (const path of [model, other]) {
      const loaded = await sendJson(first, "POST", "/cluster/rings", { model: path, wait: true });
      assert.equal(loaded.status, 200, await loaded.clone().text());
    }
    await eventually(async () => assert.equal((await readyRingsAt(second)).length, 2));
    const texts = await Promise.all([complete(second, model), complete(second, other)]);
    assert.notEqual(texts[0]?.choices[0]?.text, texts[1]?.choices[0]?.text);
    const [ring] = await readyRingsAt(second);
    const gone = await sendJson(second, "DELETE", `/cluster/rings/${ring?.id}`);
    assert.equal(gone.status, 200);
    await eventually(async () => {
      for (const node of nodes) assert.equal((await clusterAt(node)).rings.length, 1);
    });
    const again = await sendJson(second, "DELETE", `/cluster/rings/${ring?.id}`);
    assert.deepEqual((await errorOf(again)).code, "model_not_found");
  });

  test("replicas share the requests", async (context) => {
    const nodes = await startNodes(context, ["one", "two"], ["--slots", "2"]);
    const asked = nodeAt(nodes, 0);
    const loaded = await sendJson(asked, "POST", "/cluster/rings", { model, replicas: 2, wait: true });
    assert.equal(loaded.status, 200, await loaded.clone().text());
    await eventually(async () => assert.equal((await readyRingsAt(asked)).length, 2));
    const rings = await readyRingsAt(asked);
    assert.deepEqual(rings.flatMap(({ stages }) => stages.map(({ node_name }) => node_name)).toSorted(), [
      "one",
      "two",
    ]);
    await Promise.all(Array.from({ length: 8 }, () => complete(asked, model)));
    await eventually(async () => {
      const { nodes: seen } = await clusterAt(asked);
      for (const { name, stages = [] } of seen) assert.ok((stages[0]?.work.rows ?? 0) > 0, name);
    });
  });

  test("what is pinned is loaded again after a restart, until it is unloaded", async (context) => {
    const home = await mkdtemp(join(tmpdir(), "exo-pinned-"));
    context.after(() => rm(home, { recursive: true }));
    const grpc = `127.0.0.1:${await freePort()}`;
    const start = () =>
      NodeProcess.start({ name: "one", home, args: ["--threads", "1", "--ctx", "128", "--grpc", grpc] });
    const first = await start();
    const loaded = await sendJson(first, "POST", "/cluster/rings", { model, pinned: true, wait: true });
    assert.equal(loaded.status, 200, await loaded.clone().text());
    await first.stop();
    const second = await start();
    await second.ready();
    const [ring] = await readyRingsAt(second);
    assert.equal(ring?.pinned, true);
    assert.equal((await sendJson(second, "DELETE", `/cluster/rings/${ring?.id}`)).status, 200);
    await second.stop();
    const third = await start();
    context.after(() => third.stop());
    assert.deepEqual((await clusterAt(third)).rings, []);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}
