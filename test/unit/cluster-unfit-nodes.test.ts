import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { eventually } from "../support/eventually.js";
import { type ManagedNodeOptions, ManagerNetwork, placeOnOne, placeOver, wants } from "../support/manager-network.js";

const FULL = new ExoError(
  "out_of_memory",
  "With this stage the node would hold 2 GiB, but it offers 1 GiB (--memory).",
);

/** The clock of these tests begins with 1970, in the time zone that they run in. */
const LEFT_OUT = `it is left out until ${new Date(300_000).toTimeString().slice(0, 5)}, because`;

/** Node `a`, which was started with a model, and two others of which the first cannot load its stage. */
async function withBadPeer(context: TestContext, options: ManagedNodeOptions, cannotLoad = FULL) {
  const network = new ManagerNetwork();
  context.after(() => network.stop());
  const a = await network.add("a", { given: wants("tiny"), ...options });
  const bad = await network.add("b", { cannotLoad });
  const c = await network.add("c");
  for (const node of network.nodes.values()) await node.start();
  a.meet(bad);
  const ring = () => {
    const [placed] = a.manager.local();
    assert.ok(placed !== undefined, "the head still has its ring");
    return placed;
  };
  return { network, a, bad, c, ring };
}

describe("a node that cannot load its stage", () => {
  test("is left out, with the reason, and the others go on", async (context) => {
    const { network, a, ring } = await withBadPeer(context, { place: placeOver(2) });
    await a.manager.whenReady("tiny", AbortSignal.timeout(5000));
    assert.deepEqual(network.ready(), ["tiny@a"]);
    const unused = ring().placement?.plan.unused ?? [];
    assert.deepEqual(
      unused.filter(({ nodeId }) => nodeId === "b"),
      [
        {
          nodeId: "b",
          reason: `${LEFT_OUT} it could not load its stage: ${FULL.message.slice(0, -1)}`,
          isLeftOut: true,
        },
      ],
    );
    assert.ok(
      ring()
        .record()
        .planReasons.some((reason) => /is not used: it is left out until \d\d:05, because it could not/.test(reason)),
    );
  });

  test("is left out when it refuses a model that crashed it", async (context) => {
    const refuses = new ExoError(
      "crash_loop",
      "This node crashed 3 times in a row with tiny.gguf, and refuses the model.",
    );
    const { network, a, ring } = await withBadPeer(context, { place: placeOver(2) }, refuses);
    await a.manager.whenReady("tiny", AbortSignal.timeout(5000));
    assert.deepEqual(network.ready(), ["tiny@a"]);
    assert.match(
      ring().record().planReasons.join(" "),
      /b is not used: it is left out until .*, because it could not load its stage: This node crashed/,
    );
  });

  test("does not count among the nodes that are waited for; another one does", async (context) => {
    const { network, a, c, ring } = await withBadPeer(context, { place: placeOver(2), settings: { minNodes: 2 } });
    await eventually(async () => assert.match(ring().record().reason ?? "", /could not load its stage: With/));
    assert.equal(ring().record().state, "waiting");
    assert.match(
      ring().record().reason ?? "",
      /^Waiting for nodes: 1 of 2 are here\. .*could not load its stage: With/,
    );
    assert.equal(ring().failure, null);
    await assert.rejects(a.manager.ensure("tiny", AbortSignal.timeout(5000)), { code: "not_ready" });
    a.meet(c);
    await eventually(async () => assert.deepEqual(network.ready(), ["tiny@a"]));
    assert.deepEqual(
      ring()
        .record()
        .stages.map(({ nodeId }) => nodeId),
      ["a", "c"],
    );
  });

  test("leaves a model that fits nowhere else waiting until the cluster changes", async (context) => {
    const onTwo = placeOver(2);
    const { network, a, c, ring } = await withBadPeer(context, {
      place: (question) => {
        if (question.nodes.length < 2) throw new ExoError("out_of_memory", "tiny needs two nodes.");
        return onTwo(question);
      },
    });
    await eventually(async () => assert.match(ring().record().reason ?? "", /could not load its stage: With/));
    assert.equal(ring().record().state, "waiting");
    assert.match(ring().record().reason ?? "", /^tiny needs two nodes\. .*could not load its stage: With/);
    assert.equal(ring().failure, null);
    a.meet(c);
    await eventually(async () => assert.deepEqual(network.ready(), ["tiny@a"]));
  });

  test("is asked again after some minutes", async (context) => {
    const { network, a, bad, ring } = await withBadPeer(context, { place: placeOver(2), settings: { minNodes: 2 } });
    await eventually(async () => assert.match(ring().record().reason ?? "", /could not load its stage: With/));
    assert.equal(ring().record().state, "waiting");
    bad.cannotLoad = null;
    a.meet(bad);
    await network.rest();
    assert.equal(ring().record().state, "waiting");
    await network.beat(301);
    a.meet(bad);
    await eventually(async () => assert.deepEqual(network.ready(), ["tiny@a"]));
  });

  test("takes its share of a ring that works once that time is over; of one that fails again, it is left out for longer", async (context) => {
    const { network, a, bad, ring } = await withBadPeer(context, { place: placeOver(2) });
    await a.manager.whenReady("tiny", AbortSignal.timeout(5000));
    const nodes = () =>
      ring()
        .record()
        .stages.map(({ nodeId }) => nodeId);
    const minutes = async (count: number): Promise<void> => {
      for (let beat = 0; beat < 6 * count; beat++) await network.beat(10);
    };
    await minutes(4);
    assert.equal(ring().record().epoch, 2, "nothing is tried meanwhile");
    await minutes(3);
    assert.deepEqual([ring().record().epoch, ...nodes()], [4, "a"], "it was tried, and failed again");
    bad.cannotLoad = null;
    await minutes(7);
    assert.deepEqual([ring().record().epoch, ...nodes()], [4, "a"]);
    await minutes(6);
    assert.deepEqual([ring().record().epoch, ...nodes()], [5, "a", "b"]);
    assert.deepEqual(network.ready(), ["tiny@a"]);
  });

  test("is left out where another head takes over, which is looked for", async (context) => {
    const network = new ManagerNetwork();
    context.after(() => network.stop());
    const onAll = placeOver(3);
    const place: ManagedNodeOptions["place"] = (question) => {
      if (question.nodes.some(({ id }) => id === "b")) return onAll(question);
      // Without it only one node is large enough to be the head.
      const { head } = question.request;
      if (head !== null && head !== "c") throw new ExoError("out_of_memory", `${head} cannot be the head.`);
      return placeOnOne({ ...question, nodes: question.nodes.filter(({ id }) => id === "c") });
    };
    const a = await network.add("a", { given: wants("tiny"), place });
    await network.add("b", { cannotLoad: FULL });
    const c = await network.add("c", { place });
    network.connect();
    for (const node of network.nodes.values()) await node.start();
    await eventually(async () => assert.deepEqual(network.ready(), ["tiny@c"]));
    await network.beat();
    assert.equal(await a.manager.ensure("tiny", AbortSignal.timeout(5000)), "tiny");
    assert.equal(a.manager.local().length, 0, "its own try is over");
    const [ring] = c.manager.local();
    assert.match(ring?.record().planReasons.join(" ") ?? "", /node-b is not used: it is left out until/);
  });

  test("is told of to the others, for as long as it is left out", async (context) => {
    const { network, a, bad, c } = await withBadPeer(context, { place: placeOver(2) });
    await a.manager.whenReady("tiny", AbortSignal.timeout(5000));
    const records = () => c.manager.unfit.among("tiny", [bad.record()]);
    assert.deepEqual(records(), []);
    c.meet(a);
    const [told] = records();
    assert.deepEqual([told?.nodeId, told?.until], ["b", 300_000]);
    assert.deepEqual(c.manager.unfit.among("other", [bad.record()]), []);
    assert.deepEqual(c.manager.unfit.among("tiny", [{ id: "b", instance: "started again" }]), []);
    assert.deepEqual(c.manager.unfit.records(), [], "what it was told it does not tell on");
    await network.beat(301);
    assert.deepEqual(records(), []);
  });

  test("for a fault that others would have too ends the tries", async (context) => {
    const damaged = new ExoError("invalid_model", "The file is damaged.");
    const { a } = await withBadPeer(context, { place: placeOver(2) }, damaged);
    await assert.rejects(a.manager.whenReady("tiny", AbortSignal.timeout(5000)), { code: "invalid_model" });
  });
});
