import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { PlacedModel } from "../../src/cluster/placed-model.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import { eventually } from "../support/eventually.js";
import type { FakeHead } from "../support/fake-head.js";
import { type ManagedNode, type ManagedNodeOptions, ManagerNetwork, wants } from "../support/manager-network.js";

const anySignal = new AbortController().signal;

/** Two nodes, of which the first was started with a model. */
async function twoNodes(context: TestContext, options: ManagedNodeOptions) {
  const network = new ManagerNetwork();
  context.after(() => network.stop());
  const a = await network.add("a", { given: wants("tiny"), ...options });
  const b = await network.add("b");
  await a.start();
  await b.start();
  return { network, a, b };
}

function ringOf(node: ManagedNode): PlacedModel<FakeHead> {
  const [placed] = node.manager.local();
  assert.ok(placed !== undefined, "the node has a ring");
  return placed;
}

function loggerInto(messages: string[]): Logger {
  const note = (_: object, message: string): number => messages.push(message);
  const logger: Logger = { ...silentLogger, info: note, child: () => logger };
  return logger;
}

describe("a ring that waits", () => {
  test("says that its nodes are measured once they are all there", async (context) => {
    let measured = (): void => {};
    const { network, a, b } = await twoNodes(context, {
      settings: { minNodes: 2, strategy: "latency" },
      gatherSpeeds: () => new Promise((resolve) => (measured = () => resolve(null))),
    });
    await network.rest();
    const waiting = ringOf(a).record();
    assert.deepEqual([waiting.state, waiting.reason], ["waiting", "Waiting for nodes: 1 of 2 are here."]);
    a.meet(b);
    await network.rest();
    const planned = ringOf(a).record();
    assert.equal(planned.state, "loading");
    assert.match(planned.reason ?? "", /measured/);
    for (let turn = 0; turn < 5; turn++) {
      measured();
      await network.rest();
    }
    assert.deepEqual(network.ready(), ["tiny@a"]);
    assert.equal(ringOf(a).record().reason, null);
  });

  test("lets requests go that were held while it was placed anew, and says in the log only what happens", async (context) => {
    const messages: string[] = [];
    const { network, a, b } = await twoNodes(context, { settings: { minNodes: 2 }, logger: loggerInto(messages) });
    a.meet(b);
    await network.rest();
    const placed = ringOf(a);
    assert.ok(placed.head !== null, "it is ready");
    const end = await placed.usage.begin(anySignal);
    const again = placed.placeAgain("It gives more so.");
    await placed.placeAgain("It gives more otherwise.");
    let began = false;
    const held = placed.usage.begin(anySignal).then((done) => {
      began = true;
      done();
    });
    await network.rest();
    assert.ok(!began && !messages.some((message) => message.startsWith("It gives")), messages.join("\n"));
    a.lose(b);
    end();
    await again;
    await network.rest();
    assert.ok(messages.includes("It gives more so.") && !messages.includes("It gives more otherwise."));
    assert.ok(began, "what was held is let go");
    await held;
    assert.equal(placed.record().reason, "Waiting for nodes: 1 of 2 are here.");
    a.meet(b);
    await network.rest();
    assert.deepEqual(network.ready(), ["tiny@a"]);
  });

  test("waits for nodes while the ring before is still taken down", async (context) => {
    const { network, a, b } = await twoNodes(context, { settings: { minNodes: 2 } });
    a.meet(b);
    await network.rest();
    const [head] = a.heads;
    assert.ok(head !== undefined, "it is loaded");
    let closed = (): void => {};
    head.close = () => new Promise((resolve) => (closed = resolve));
    a.lose(b);
    head.break();
    await eventually(async () => {
      assert.match(
        ringOf(a).record().reason ?? "",
        /^Waiting for nodes: 1 of 2 are here\. The ring broke before that: /,
      );
    });
    a.meet(b);
    await network.rest();
    assert.deepEqual(network.ready(), [], "nothing is loaded beside it");
    closed();
    await network.rest();
    assert.deepEqual(network.ready(), ["tiny@a"]);
  });
});
