import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { GossipRounds, type Partner } from "../../src/cluster/membership/gossip-rounds.js";
import type { GossipMessage } from "../../src/cluster/membership/gossip-state.js";
import type { NodeRecord } from "../../src/cluster/node-record.js";
import { silentLogger } from "../../src/core/ports.js";

const QUESTION: GossipMessage<NodeRecord> = { from: "self", digests: [], items: [], wanted: [] };
const RECORDS: GossipMessage<NodeRecord> = { from: "self", digests: null, items: [], wanted: [] };

/** Rounds that begin only when the test says so, with partners who answer when it says so. */
function roundsWith(context: TestContext, ids: readonly string[], take: (answer: unknown) => unknown = () => null) {
  const asked: { readonly id: string; readonly message: unknown; readonly answer: (value: unknown) => void }[] = [];
  const partners = ids.map((id): Partner => {
    const gossip = (message: unknown) => new Promise((answer) => void asked.push({ id, message, answer }));
    return { id, name: id, gossip };
  });
  context.mock.timers.enable({ apis: ["setInterval"] });
  const rounds = new GossipRounds({
    partners: () => partners,
    question: () => QUESTION,
    take: (answer) => (take(answer) === null ? null : RECORDS),
    intervalMs: 1000,
    logger: silentLogger,
  });
  context.after(() => rounds.stop());
  rounds.start();
  return { rounds, asked, tick: () => context.mock.timers.tick(1000) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("gossip goes round", () => {
  test("to everybody once before anybody has a second turn", async (t) => {
    const { asked, tick } = roundsWith(t, ["a", "b", "c"]);
    for (const round of [1, 2, 3]) {
      for (let turn = 0; turn < 3; turn += 1) tick();
      for (const { answer } of asked) answer(null);
      await settled();
      const times = ["a", "b", "c"].map((id) => asked.filter((one) => one.id === id).length);
      assert.deepEqual(times, [round, round, round]);
    }
  });

  test("at once to three when there is news", (t) => {
    const { rounds, asked } = roundsWith(t, ["a", "b", "c", "d", "e"]);
    rounds.spread();
    assert.equal(new Set(asked.map(({ id }) => id)).size, 3);
  });

  test("once at a time with each, and once more for all the news that came meanwhile", async (t) => {
    const { rounds, asked } = roundsWith(t, ["a"]);
    for (let news = 0; news < 5; news += 1) rounds.tell("a");
    assert.equal(asked.length, 1);
    asked[0]?.answer(null);
    await settled();
    assert.equal(asked.length, 2);
    asked[1]?.answer(null);
    await settled();
    assert.equal(asked.length, 2);
  });

  test("with the records that a partner asks for", async (t) => {
    const { rounds, asked } = roundsWith(t, ["a"], (answer) => (answer === "more" ? answer : null));
    rounds.tell("a");
    asked[0]?.answer("more");
    await settled();
    assert.deepEqual(
      asked.map(({ message }) => message),
      [QUESTION, RECORDS],
    );
  });

  test("not to nodes that nobody knows, nor after the end", async (t) => {
    const { rounds, asked } = roundsWith(t, ["a"]);
    rounds.tell("nobody");
    assert.equal(asked.length, 0);
    rounds.tell("a");
    rounds.tell("a");
    rounds.stop();
    asked[0]?.answer(null);
    await settled();
    assert.equal(asked.length, 1);
  });
});
