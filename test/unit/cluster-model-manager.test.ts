import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { Placement } from "../../src/cluster/placed-model.js";
import type { PlaceQuestion } from "../../src/cluster/ring-planner.js";
import { ExoError } from "../../src/core/errors.js";
import { eventually } from "../support/eventually.js";
import { type ManagedNode, ManagerNetwork, placeOnOne, wants } from "../support/manager-network.js";

const anySignal = new AbortController().signal;

function network(context: TestContext, models?: Readonly<Record<string, number>>): ManagerNetwork {
  const made = new ManagerNetwork(models);
  context.after(() => made.stop());
  return made;
}

async function startAll(made: ManagerNetwork): Promise<void> {
  for (const node of made.nodes.values()) await node.start();
  await made.rest();
}

const use = async (node: ManagedNode, made: ManagerNetwork, seconds = 0): Promise<void> => {
  const [placed] = node.manager.local();
  assert.ok(placed !== undefined);
  const end = await placed.usage.begin(anySignal);
  made.now += seconds;
  end();
};

describe("a node", () => {
  test("is the head of so many rings, and says so to who asks for one more", async (context) => {
    const specs = Array.from({ length: 65 }, (_, index) => `https://a.example/m${index}.gguf`);
    const made = network(context, Object.fromEntries(specs.map((spec) => [spec, 1])));
    const node = await made.add("a", { given: wants(...specs) });
    await startAll(made);
    assert.equal(node.manager.local().length, 64);
    await assert.rejects(node.manager.load(specs[64] ?? ""), { code: "overloaded" });
    const [first] = node.manager.local();
    assert.ok(first !== undefined);
    await node.manager.unload(first.id);
    await made.beat();
    assert.equal(node.manager.local().length, 64, "the last of the pinned ones has its turn");
  });
});

describe("nodes started with the same command", () => {
  test("come to one ring, and load nothing else", async (context) => {
    const made = network(context);
    for (const id of ["c", "a", "b"]) await made.add(id, { given: wants("tiny"), settings: { minNodes: 3 } });
    made.connect();
    await startAll(made);
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@a"]);
    assert.deepEqual([...made.nodes.values()].flatMap(({ heads }) => heads).length, 1);
    for (const node of made.nodes.values()) assert.equal(await node.manager.whenReady("tiny", anySignal), "tiny");
  });

  test("have another ring when the head is gone, and still one when it is back", async (context) => {
    const made = network(context);
    const [a, b, c] = [
      await made.add("a", { given: wants("tiny") }),
      await made.add("b", { given: wants("tiny") }),
      await made.add("c", { given: wants("tiny") }),
    ];
    made.connect();
    await startAll(made);
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@a"]);
    for (const other of [b, c]) other.lose(a);
    for (const other of [b, c]) a.lose(other);
    await made.beat();
    await made.beat();
    assert.deepEqual(made.ready().toSorted(), ["tiny@a", "tiny@b"]);
    // Two parts of a network meet again: one ring stays, and what the other one had begun is answered.
    const [placed] = b.manager.local();
    assert.ok(placed !== undefined);
    const end = await placed.usage.begin(anySignal);
    made.connect();
    await made.beat();
    assert.deepEqual(made.ready().toSorted(), ["tiny@a", "tiny@b"]);
    assert.equal(placed.record().draining, true);
    end();
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@a"]);
    assert.equal(b.heads[0]?.closedBy[0]?.code, "not_ready");
  });

  test("go on where one of them cannot", async (context) => {
    const made = network(context, { tiny: 10 });
    await made.add("a", { given: wants("tiny"), capacity: 5 });
    await made.add("b", { given: wants("tiny"), capacity: 50 });
    made.connect();
    await startAll(made);
    await made.beat();
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@b"]);
  });
});

describe("a model that is asked for", () => {
  test("is loaded once, however many ask, wherever it fits", async (context) => {
    const made = network(context, { tiny: 10 });
    const small = await made.add("a", { capacity: 5 });
    const large = await made.add("b", { capacity: 50 });
    made.connect();
    await startAll(made);
    const answers = Promise.all([1, 2, 3].map(() => small.manager.ensure("tiny", anySignal)));
    await made.rest();
    await made.beat();
    assert.deepEqual(await answers, ["tiny", "tiny", "tiny"]);
    assert.deepEqual(made.ready(), ["tiny@b"]);
    assert.equal(large.heads.length, 1);
    assert.deepEqual(small.manager.local(), []);
  });

  test("by a name that two have is refused, until one of them is loaded", async (context) => {
    const [one, other] = ["https://a.example/m.gguf", "https://b.example/m.gguf"];
    const made = network(context, { [one]: 10, [other]: 10 });
    const node = await made.add("a");
    await startAll(made);
    const refused = { code: "invalid_argument", message: /"m" is the name of .+a\.ex.+ and .+b\.ex.+whole spec/ };
    await assert.rejects(node.manager.ensure("m", anySignal), refused);
    await assert.rejects(node.manager.load("m"), refused);
    assert.deepEqual(node.manager.list(), []);
    const ring = await node.manager.load(other);
    await made.beat();
    assert.equal(await node.manager.ensure("m", anySignal), "m");
    assert.equal((await node.manager.load("m")).id, ring.id);
    assert.deepEqual(
      node.manager.list().map(({ ring: { spec } }) => spec),
      [other],
    );
  });

  test("is waited for while its head does not answer, and not loaded beside it", async (context) => {
    const made = network(context);
    const a = await made.add("a");
    const b = await made.add("b");
    made.connect();
    await startAll(made);
    await a.manager.load("tiny");
    await made.beat();
    b.suspect(a);
    let model = "";
    const asked = b.manager.ensure("tiny", anySignal).then((name) => {
      model = name;
    });
    await made.rest();
    assert.equal(model, "");
    made.connect();
    await asked;
    assert.equal(model, "tiny");
    assert.deepEqual(made.ready(), ["tiny@a"]);
    assert.deepEqual(b.heads, []);
  });

  test("is refused with the reason when it is not known, or does not fit", async (context) => {
    const made = network(context, { huge: 100 });
    const node = await made.add("a", { capacity: 5 });
    await startAll(made);
    await assert.rejects(node.manager.ensure("nothing", anySignal), { code: "model_not_found" });
    await assert.rejects(node.manager.ensure("huge", anySignal), {
      code: "not_ready",
      retryable: false,
      message: /huge cannot be loaded: huge does not fit/,
    });
  });

  test("may be asked for again after a failure, when that is a while ago", async (context) => {
    const made = network(context, { huge: 100 });
    const node = await made.add("a", { capacity: 5 });
    await startAll(made);
    await assert.rejects(node.manager.ensure("huge", anySignal), { code: "not_ready" });
    assert.equal(node.manager.local().length, 1);
    await made.beat();
    await made.beat(20);
    assert.equal(node.manager.local().length, 0);
  });

  test("is not loaded where nothing is loaded on demand", async (context) => {
    const made = network(context);
    const node = await made.add("a", { onDemand: "off" });
    await startAll(made);
    await assert.rejects(node.manager.ensure("tiny", anySignal), {
      code: "model_not_found",
      message: /--on-demand off/,
    });
  });

  test("is not unknown, but to be asked for again, while its head does not answer", async (context) => {
    const made = network(context);
    const a = await made.add("a");
    const b = await made.add("b", { onDemand: "off" });
    made.connect();
    await startAll(made);
    await a.manager.load("tiny");
    await made.beat();
    b.suspect(a);
    await assert.rejects(b.manager.ensure("tiny", anySignal), {
      code: "not_ready",
      retryable: true,
      message: /its head does not answer/,
    });
  });

  test("is no longer waited for when the signal aborts", async (context) => {
    const made = network(context);
    const node = await made.add("a", { given: wants("tiny"), settings: { minNodes: 2 } });
    await startAll(made);
    await assert.rejects(node.manager.ensure("tiny", anySignal), { code: "not_ready", message: /1 of 2/ });
    await assert.rejects(node.manager.whenReady("tiny", AbortSignal.abort()), { code: "cancelled" });
  });
});

describe("memory", () => {
  test("a model that nobody uses is unloaded after its time, one that is pinned or used is not", async (context) => {
    const made = network(context, { tiny: 10, pinned: 10 });
    const node = await made.add("a", { settings: { keepAlive: 60 }, given: wants("pinned") });
    await startAll(made);
    await node.manager.load("tiny");
    await made.beat();
    assert.deepEqual(made.ready(), ["pinned@a", "tiny@a"]);
    await made.beat(40);
    const placed = node.manager.local().find(({ request }) => request.spec === "tiny");
    const end = await placed?.usage.begin(anySignal);
    await made.beat(100);
    assert.equal(made.ready().length, 2);
    end?.();
    await made.beat(59);
    assert.equal(made.ready().length, 2);
    await made.beat(2);
    assert.deepEqual(made.ready(), ["pinned@a"]);
  });

  test("the model that was used longest ago makes way for another, on whichever node", async (context) => {
    const made = network(context, { one: 10, two: 10, three: 10 });
    const a = await made.add("a", { capacity: 10 });
    const b = await made.add("b", { capacity: 10 });
    made.connect();
    await startAll(made);
    await a.manager.load("one");
    await made.beat();
    await a.manager.load("two");
    await made.beat();
    assert.deepEqual(made.ready(), ["one@a", "two@b"]);
    made.now += 100;
    await use(a, made);
    await made.beat(10);
    await a.manager.load("three");
    await made.beat();
    assert.deepEqual(made.ready(), ["one@a", "three@b"]);
    assert.equal(b.heads[0]?.closedBy[0]?.code, "not_ready");
  });

  test("nothing makes way for a model that would not fit all the same, nor what is pinned", async (context) => {
    const made = network(context, { one: 10, huge: 100, two: 10 });
    const node = await made.add("a", { capacity: 10 });
    await startAll(made);
    await node.manager.load("one", { pinned: true });
    await made.beat(100);
    await assert.rejects(node.manager.ensure("huge", anySignal), { message: /does not fit/ });
    await assert.rejects(node.manager.ensure("two", anySignal), { message: /does not fit/ });
    assert.deepEqual(made.ready(), ["one@a"]);
  });
});

describe("loading and unloading by request", () => {
  test("two models at once, and one of them unloaded through another node", async (context) => {
    const made = network(context, { one: 10, two: 10 });
    const a = await made.add("a");
    const b = await made.add("b");
    made.connect();
    await startAll(made);
    const one = await b.manager.load("one");
    await b.manager.load("two");
    await made.beat();
    assert.deepEqual(made.ready(), ["one@a", "two@a"]);
    assert.equal(b.manager.list().find(({ ring }) => ring.model === "one")?.ring.id, one.id);
    await b.manager.unload(one.id);
    await made.beat();
    assert.deepEqual(made.ready(), ["two@a"]);
    await assert.rejects(a.manager.unload(one.id), { code: "model_not_found", param: "id" });
  });

  test("what was unloaded elsewhere is not asked any more, though its head has told of it last", async (context) => {
    const made = network(context);
    await made.add("a");
    const b = await made.add("b");
    made.connect();
    await startAll(made);
    const ring = await b.manager.load("tiny");
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@a"]);
    await b.manager.unload(ring.id);
    assert.deepEqual(b.manager.serving("tiny"), []);
    const again = await b.manager.load("tiny");
    assert.notEqual(again.id, ring.id);
  });

  test("a name that two models have is refused, their specs are not", async (context) => {
    const made = network(context, { "/x/tiny.gguf": 10, "/y/tiny.gguf": 10 });
    const node = await made.add("a");
    await startAll(made);
    await node.manager.load("/x/tiny.gguf");
    await node.manager.load("/y/tiny.gguf");
    await made.beat();
    assert.deepEqual(
      node.manager.serving("/y/tiny.gguf").map(({ ring }) => ring.spec),
      ["/y/tiny.gguf"],
    );
    await assert.rejects(node.manager.ensure("tiny", anySignal), { code: "invalid_argument", param: "model" });
  });

  test("nobody wants a ring back that was unloaded, also not who was started with it", async (context) => {
    const made = network(context);
    for (const id of ["a", "b", "c"]) await made.add(id, { given: wants("tiny") });
    made.connect();
    await startAll(made);
    await made.beat();
    const c = made.nodes.get("c");
    const [found] = c?.manager.list() ?? [];
    assert.ok(found !== undefined);
    await c?.manager.unload(found.ring.id);
    for (let beat = 0; beat < 3; beat++) await made.beat();
    assert.deepEqual(made.ready(), []);
  });

  test("a model that was pinned is loaded again after a restart", async (context) => {
    const directory = await mkdtemp(join(tmpdir(), "exo-manager-"));
    context.after(() => rm(directory, { recursive: true }));
    const pinFile = join(directory, "pinned.json");
    const first = network(context);
    const before = await first.add("a", { pinFile });
    await startAll(first);
    await before.manager.load("tiny", { pinned: true });
    await first.beat();
    const second = network(context);
    await second.add("a", { pinFile });
    await startAll(second);
    await second.beat();
    assert.deepEqual(second.ready(), ["tiny@a"]);
  });

  test("a strategy for throughput may want a copy on each node instead of one ring", async (context) => {
    const made = network(context);
    const copies = () => ["b", "c"];
    const a = await made.add("a", { copies, settings: { strategy: "throughput" } });
    for (const id of ["b", "c"]) await made.add(id);
    made.connect();
    await startAll(made);
    const answer = a.manager.ensure("tiny", anySignal);
    await made.rest();
    await made.beat();
    assert.equal(await answer, "tiny");
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@b", "tiny@c"]);
    assert.deepEqual(
      a.manager.serving("tiny").map(({ ring }) => ring.replica),
      [0, 1],
    );
    assert.deepEqual(a.manager.local(), []);
  });

  test("replicas are on nodes of their own, and there can be no more than nodes that hold the model", async (context) => {
    const made = network(context, { tiny: 10 });
    const a = await made.add("a", { capacity: 10 });
    await made.add("b", { capacity: 5 });
    await made.add("c", { capacity: 10 });
    made.connect();
    await startAll(made);
    await a.manager.load("tiny", { replicas: 2 });
    await made.beat();
    await made.beat();
    assert.deepEqual(made.ready(), ["tiny@a", "tiny@c"]);
    await assert.rejects(a.manager.load("tiny", { replicas: 3 }), { code: "out_of_memory", message: /only 0 of 3/ });
  });
});

/** A context that grows with the nodes that there are. */
function placeWithMore(question: PlaceQuestion): Placement {
  const { plan, ring } = placeOnOne(question);
  return { plan, ring: { ...ring, contextSize: 64 * question.nodes.length } };
}

/** Tokens per second that are foreseen for a ring as it is, and for the best; `null`: nothing is measured. */
interface Foreseen {
  now: number | null;
  best: number | null;
}

function placeForeseen(foreseen: Foreseen): (question: PlaceQuestion) => Placement {
  return (question) => {
    const { plan, ring } = placeOnOne(question);
    const rate = question.request.layers === null ? foreseen.best : foreseen.now;
    if (rate === null) return { plan: { ...plan, strategy: "memory-weighted" }, ring };
    const rates = { decodeTokensPerSecond: rate, aggregateTokensPerSecond: rate };
    const predicted = { textTokens: null, ttftSeconds: 1, ...rates, stages: [] };
    return { plan: { ...plan, predicted }, ring };
  };
}

describe("a ring that works", () => {
  test("is placed anew for nodes that came and stayed, when nobody uses it, and says why", async (context) => {
    const made = network(context);
    const a = await made.add("a", { given: wants("tiny"), place: placeWithMore });
    await startAll(made);
    await made.beat();
    const contextOf = () => a.manager.local()[0]?.record().contextSize;
    const end = await a.manager.local()[0]?.usage.begin(anySignal);
    await (await made.add("b")).start();
    made.connect();
    await made.beat(3);
    assert.equal(contextOf(), 64);
    await made.beat(60);
    assert.equal(contextOf(), 64, "not while it is used");
    end?.();
    await made.beat(2);
    await made.beat();
    assert.equal(contextOf(), 128);
    assert.match(a.manager.local()[0]?.record().planReasons[0] ?? "", /context can be 128 tokens instead of 64/);
    assert.deepEqual(made.ready(), ["tiny@a"]);
    assert.equal(a.heads.length, 2);
    assert.deepEqual(
      a.heads.map(({ closedBy }) => closedBy.length),
      [1, 0],
    );
  });

  test("is judged again by what is measured later, and placed anew only where that is worth it", async (context) => {
    const made = network(context);
    const foreseen: Foreseen = { now: 10, best: 10 };
    const settings = { strategy: "latency" } as const;
    const a = await made.add("a", { given: wants("tiny"), place: placeForeseen(foreseen), settings });
    await made.add("b", { settings });
    made.connect();
    await startAll(made);
    await made.beat();
    foreseen.now = 9;
    await made.beat(61);
    assert.equal(a.heads.length, 1, "10 instead of 9 is worth it with new nodes only");
    foreseen.best = 13;
    await made.beat(61);
    assert.equal(a.heads.length, 1, "it is not judged all the time");
    await made.beat(61);
    await made.beat();
    assert.equal(a.heads.length, 2);
    assert.match(a.manager.local()[0]?.record().planReasons[0] ?? "", /13\.0 tokens\/s instead of 9\.00 tokens\/s/);
  });

  test("that was planned before anything was measured is placed anew when something is", async (context) => {
    const made = network(context);
    const foreseen: Foreseen = { now: null, best: null };
    const settings = { strategy: "latency" } as const;
    const a = await made.add("a", { given: wants("tiny"), place: placeForeseen(foreseen), settings });
    await made.add("b", { settings });
    made.connect();
    await startAll(made);
    await made.beat();
    await made.beat(61);
    assert.equal(a.heads.length, 1);
    [foreseen.now, foreseen.best] = [10, 20];
    await made.beat(121);
    await made.beat();
    assert.equal(a.heads.length, 2);
  });

  test("stays as it is when the other placement is not worth it, and when nodes come and go", async (context) => {
    const made = network(context);
    const a = await made.add("a", { given: wants("tiny") });
    await startAll(made);
    await made.beat();
    await (await made.add("b")).start();
    made.connect();
    for (let beat = 0; beat < 10; beat++) await made.beat(10);
    assert.equal(a.heads.length, 1);
    const flapping = await made.add("c", { place: placeWithMore });
    for (let beat = 0; beat < 10; beat++) {
      made.connect();
      await made.beat(4);
      a.lose(flapping);
      await made.beat(4);
    }
    assert.equal(a.heads.length, 1);
  });

  test("that broke and cannot be mended is given up, unless it is pinned", async (context) => {
    const made = network(context, { tiny: 10, pinned: 10 });
    let fits = true;
    const place = (question: PlaceQuestion): Placement => {
      if (!fits) throw new ExoError("out_of_memory", "It does not fit any more.");
      return placeOnOne(question);
    };
    const a = await made.add("a", { given: wants("pinned"), place });
    await startAll(made);
    await a.manager.load("tiny");
    await made.beat();
    assert.equal(made.ready().length, 2);
    fits = false;
    for (const head of a.heads) head.break();
    await made.rest();
    await made.beat();
    await made.beat(30);
    assert.equal(a.manager.local().length, 2);
    await made.beat(40);
    await made.beat();
    assert.deepEqual(
      a.manager.local().map(({ request }) => request.spec),
      ["pinned"],
    );
    fits = true;
    await eventually(async () => assert.deepEqual(made.ready(), ["pinned@a"]));
  });
});
