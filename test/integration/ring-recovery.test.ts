import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { packageRoot } from "../../src/core/package.js";
import { clusterAt, readyRingsAt, type SeenRing, sendJson } from "../support/cluster-view.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";

const run = promisify(execFile);
const model = tinyModel({ layers: 6 });
const completionSchema = z.object({ choices: z.array(z.object({ text: z.string() })).length(1) });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** Nodes that know each other; with the same numbers of threads whoever else is there. */
async function startNodes(context: TestContext, names: readonly string[], args: readonly string[] = []) {
  const nodes: NodeProcess[] = [];
  for (const name of names) nodes.push(await startNode(context, name, nodes, args));
  for (const node of nodes) await allAlive(node, names.length);
  return nodes;
}

async function startNode(
  context: TestContext,
  name: string,
  others: readonly NodeProcess[],
  args: readonly string[] = [],
): Promise<NodeProcess> {
  const peers = others.flatMap((node) => ["--peer", node.grpc]);
  const node = await NodeProcess.start({ name, args: ["--threads", "1", "--ctx", "128", ...args, ...peers] });
  context.after(() => node.kill());
  return node;
}

function allAlive(node: NodeProcess, count: number): Promise<void> {
  return eventually(async () => {
    const { nodes } = await clusterAt(node);
    assert.equal(nodes.filter(({ state }) => state === "alive").length, count);
  });
}

/** Asks for a ring and waits until it is there. */
async function place(node: NodeProcess, wishes: object): Promise<SeenRing> {
  const response = await sendJson(node, "POST", "/cluster/rings", { model, wait: true, ...wishes });
  assert.equal(response.status, 200, await response.clone().text());
  return ringAt(node);
}

async function ringAt(node: NodeProcess): Promise<SeenRing> {
  const [ring, ...more] = await readyRingsAt(node);
  assert.ok(ring !== undefined && more.length === 0, `${more.length} more rings`);
  return ring;
}

/** The ring that comes after this one. */
async function nextRing(node: NodeProcess, before: SeenRing): Promise<SeenRing> {
  let next = before;
  await eventually(async () => {
    next = await ringAt(node);
    assert.notDeepEqual([next.id, next.epoch], [before.id, before.epoch]);
  });
  return next;
}

async function textOf(node: NodeProcess): Promise<string> {
  const body = { model, prompt: "Once upon a time", max_tokens: 8, temperature: 0, ignore_eos: true };
  const response = await sendJson(node, "POST", "/v1/completions", body);
  const answer: unknown = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return completionSchema.parse(answer).choices[0]?.text ?? "";
}

const places = (ring: SeenRing) =>
  ring.stages.map((stage) => `${stage.layer_begin}-${stage.layer_end}@${stage.node_name}`);
const kept = (ring: SeenRing) => ring.stages.map((stage) => stage.kept);

function named(nodes: readonly NodeProcess[], name: string | undefined): NodeProcess {
  const node = nodes.find((one) => one.name === name);
  assert.ok(node !== undefined, name);
  return node;
}

describe("a ring that loses a node", () => {
  test("goes on with what is loaded: an idle node takes the lost range, and nobody else loads", async (context) => {
    const nodes = await startNodes(context, ["one", "two", "three", "four"]);
    const before = await place(named(nodes, "one"), { strategy: "memory-weighted", min_nodes: 4 });
    assert.deepEqual(kept(before), [false, false, false, false]);
    const head = named(nodes, before.stages[0]?.node_name);
    const text = await textOf(head);
    const victim = named(nodes, before.stages[2]?.node_name);
    await victim.kill();
    assert.match(await eventuallyWaiting(head), /Waiting for nodes: 3 of 4 are here/);
    const again = await startNode(
      context,
      "five",
      nodes.filter((node) => node !== victim),
    );
    const next = await nextRing(head, before);
    assert.equal(next.id, before.id);
    assert.deepEqual(kept(next), [true, true, false, true]);
    assert.equal(next.stages[2]?.node_name, again.name);
    assert.equal(await textOf(head), text);
  });

  test("goes on with fewer nodes where one of them can take the range", async (context) => {
    const nodes = await startNodes(context, ["one", "two", "three"]);
    const before = await place(named(nodes, "one"), { strategy: "memory-weighted" });
    assert.equal(before.stages.length, 3);
    const head = named(nodes, before.stages[0]?.node_name);
    const text = await textOf(head);
    await named(nodes, before.stages[2]?.node_name).kill();
    assert.equal(await textOf(head), text, "who asks meanwhile waits");
    const next = await ringAt(head);
    assert.equal(next.stages.length, 2);
    assert.equal(kept(next).filter((one) => one).length, 1, places(next).join());
    assert.ok(next.epoch > before.epoch);
  });

  test("goes on without its head, with the stages of the others", async (context) => {
    const nodes = await startNodes(context, ["one", "two", "three"]);
    const before = await place(named(nodes, "one"), { strategy: "memory-weighted" });
    const head = named(nodes, before.stages[0]?.node_name);
    const entry = named(nodes, before.stages[2]?.node_name);
    const text = await textOf(entry);
    await head.kill();
    await eventually(async () => {
      const gone = (await clusterAt(entry)).nodes.find(({ name }) => name === head.name);
      assert.equal(gone?.state, "gone");
    });
    assert.equal(await textOf(entry), text);
    const next = await ringAt(entry);
    assert.notEqual(next.id, before.id);
    assert.equal(next.stages.length, 2);
    assert.deepEqual(kept(next), [false, true]);
  });
});

describe("a ring with spares", () => {
  test("goes on without a load when a node is lost for which another one stands by", async (context) => {
    const nodes = await startNodes(context, ["one", "two"]);
    const before = await place(named(nodes, "one"), { min_nodes: 2, spares: 1 });
    assert.equal(before.stages.length, 2);
    const head = named(nodes, before.stages[0]?.node_name);
    const text = await textOf(head);
    const third = await startNode(context, "three", nodes);
    await eventually(async () => {
      const standingBy = ((await ringAt(head)).spares ?? []).map(({ node_name, state }) => `${state} by ${node_name}`);
      assert.deepEqual(standingBy, ["fetched by three", "loaded by three"]);
    }, 30_000);
    const holder = (await clusterAt(third)).nodes.find(({ name }) => name === "three");
    assert.deepEqual(
      holder?.kept?.map(({ spare, layer_begin }) => [spare, layer_begin]),
      [[true, before.stages[1]?.layer_begin]],
    );
    await named(nodes, before.stages[1]?.node_name).kill();
    const next = await nextRing(head, before);
    assert.equal(next.stages[1]?.node_name, third.name);
    assert.deepEqual(kept(next), [true, true]);
    assert.equal(await textOf(head), text);
  });
});

/** Why the ring is not there. */
async function eventuallyWaiting(node: NodeProcess): Promise<string> {
  let reason = "";
  await eventually(async () => {
    const [ring] = (await clusterAt(node)).rings;
    assert.notEqual(ring?.state, "ready");
    reason = ring?.reason ?? "";
    assert.match(reason, /Waiting for nodes/);
  });
  return reason;
}

describe("a node that is drained", () => {
  const drain = (at: NodeProcess, node: string, draining = true) =>
    sendJson(at, "POST", "/cluster/drain", { node, drain: draining });
  const drainingAt = async (node: NodeProcess) =>
    (await clusterAt(node)).nodes.filter(({ draining }) => draining).map(({ name }) => name);

  test("gives its layers to others, and may take some again", async (context) => {
    const nodes = await startNodes(context, ["one", "two", "three"]);
    const before = await place(named(nodes, "one"), { strategy: "memory-weighted" });
    const head = named(nodes, before.stages[0]?.node_name);
    const leaving = before.stages[2]?.node_name ?? "";
    const text = await textOf(head);
    const response = await drain(named(nodes, before.stages[1]?.node_name), leaving);
    assert.equal(response.status, 200, await response.clone().text());
    const next = await nextRing(head, before);
    assert.ok(!next.stages.some(({ node_name }) => node_name === leaving), places(next).join());
    assert.equal(await textOf(head), text);
    assert.deepEqual(await drainingAt(head), [leaving]);
    const main = join(packageRoot(), "dist", "src", "cli", "main.js");
    const { stdout } = await run(process.execPath, [main, "drain", leaving, "--undo", "--url", head.http]);
    assert.equal(stdout, `${leaving} may take layers again.\n`);
    await eventually(async () => assert.deepEqual(await drainingAt(head), []));
  });

  test("hands the ring over where it is the head, and what was begun is answered", async (context) => {
    const nodes = await startNodes(context, ["one", "two"]);
    const before = await place(named(nodes, "one"), {});
    const head = named(nodes, before.stages[0]?.node_name);
    const other = nodes.find((node) => node !== head);
    assert.ok(other !== undefined);
    const body = { model, prompt: "Once", max_tokens: 100, temperature: 0, ignore_eos: true };
    const begun = sendJson(head, "POST", "/v1/completions", body);
    assert.equal((await drain(other, head.name)).status, 200);
    const answer = await begun;
    assert.equal(answer.status, 200, await answer.clone().text());
    const next = await nextRing(other, before);
    assert.deepEqual(
      next.stages.map(({ node_name }) => node_name),
      [other.name],
    );
    assert.ok((await textOf(head)).length > 0);
  });

  test("is not where a ring has no other place: it says what is missing, and nothing changes", async (context) => {
    const nodes = await startNodes(context, ["one", "two"]);
    const asked = named(nodes, "one");
    const before = await place(asked, { min_nodes: 2, strategy: "memory-weighted" });
    const response = await drain(asked, "two");
    const { error } = errorSchema.parse(await response.json());
    assert.match(error.message, /two cannot be drained: .* has no place without it\. Waiting for nodes: 1 of 2/);
    assert.deepEqual(await drainingAt(asked), []);
    assert.deepEqual(await ringAt(asked).then(({ id, epoch }) => [id, epoch]), [before.id, before.epoch]);
    assert.equal((await drain(asked, "nobody")).status, 400);
  });
});

describe("a node that is stopped", () => {
  test("says so, and the others need not find out", async (context) => {
    const nodes = await startNodes(context, ["one", "two"]);
    const [stays, leaves] = [named(nodes, "one"), named(nodes, "two")];
    assert.equal(await leaves.stop(), 0);
    const { nodes: seen } = await clusterAt(stays);
    assert.equal(seen.find(({ name }) => name === "two")?.state, "gone");
  });
});
