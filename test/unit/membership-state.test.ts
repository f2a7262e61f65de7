import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Stamp, Standing } from "../../src/cluster/membership/claim.js";
import { digestOf } from "../../src/cluster/membership/digest.js";
import { type GossipItem, type GossipLimits, GossipState } from "../../src/cluster/membership/gossip-state.js";
import { MAX_INCARNATION } from "../../src/cluster/stamp.js";

interface Note extends Stamp {
  readonly text: string;
}

const LIMITS: GossipLimits = { suspectMs: 1000, forgetMs: 60_000, mostNodes: 3, messageBytes: 1000 };
const nobody = (): boolean => false;
const down = () => "down" as const;

function stateOf(id = "a", incarnation = 10, limits: Partial<GossipLimits> = {}): GossipState<Note> {
  return new GossipState({ id, instance: `${id}1`, incarnation }, { ...LIMITS, ...limits });
}

function note(id: string, incarnation: number, overrides: Partial<Note> = {}): Note {
  return { id, instance: `${id}1`, incarnation, revision: 1, text: "", ...overrides };
}

function item(record: Note, standing: Standing = "alive", goneMs = 0): GossipItem<Note> {
  return { record, standing, goneMs, at: null };
}

const saying = (...items: GossipItem<Note>[]) => ({ digests: null, items });
const claiming = (record: Note, standing: Standing, goneMs = 0) => ({
  digests: [digestOf(record, standing, goneMs, false)],
  items: [],
});

describe("a node's own record", () => {
  test("gets a new revision when it differs, and only then", () => {
    const state = stateOf();
    assert.equal(state.publish(note("a", 0, { text: "one" })).revision, 1);
    assert.equal(state.publish(note("a", 0, { text: "one" })).revision, 1);
    const changed = state.publish(note("a", 0, { text: "two" }));
    assert.deepEqual(changed, { id: "a", instance: "a1", incarnation: 10, revision: 2, text: "two" });
  });
});

describe("a node that is suspected", () => {
  test("contradicts with a higher incarnation, which overcomes the suspicion elsewhere", () => {
    const [a, b] = [stateOf("a"), stateOf("b")];
    a.publish(note("a", 0));
    b.heard(note("a", 10), 0);
    assert.equal(b.suspect("a", 0), true);
    assert.equal(b.suspect("a", 0), false, "it is suspected already");
    const received = a.receive({ digests: b.digests(0, nobody), items: [] }, 0);
    assert.equal(received.contradicted, true);
    assert.equal(a.stamp.incarnation, 11);
    b.receive(saying(item(a.publish(note("a", 0)))), 1);
    assert.equal(b.said("a")?.standing, "alive");
    assert.deepEqual(b.expire(10_000, down), { gone: [], forgotten: [] });
  });

  test("is told so when it answers, for its answer alone lifts nothing elsewhere", () => {
    const state = stateOf("b");
    assert.equal(state.heard(note("a", 10), 0), false);
    state.suspect("a", 0);
    assert.equal(state.heard(note("a", 10, { revision: 2 }), 1), true);
    assert.equal(state.said("a")?.standing, "suspect");
    assert.equal(state.heard(note("a", 11), 2), false);
  });

  test("is gone when the time is over and this node does not hear it either", () => {
    const state = stateOf("b");
    state.heard(note("a", 10), 0);
    state.suspect("a", 500);
    assert.deepEqual(state.expire(1499, down).gone, []);
    assert.deepEqual(state.expire(1500, () => "failing").gone, []);
    assert.deepEqual(state.expire(1500, () => "up").gone, []);
    assert.deepEqual(state.expire(1500, down).gone, ["a"]);
  });

  test("is not suspected by claims about an incarnation that it has left", () => {
    const state = stateOf("b");
    state.heard(note("a", 11), 0);
    assert.equal(state.receive(claiming(note("a", 10), "gone"), 0).changed.size, 0);
    assert.equal(state.said("a")?.standing, "alive");
  });
});

describe("a node that is gone", () => {
  test("is remembered for a while, so that old news does not bring it back", () => {
    const state = stateOf("b");
    state.receive(saying(item(note("a", 10), "gone", 59_000)), 100_000);
    state.receive(saying(item(note("a", 10, { revision: 9 }))), 100_500);
    assert.equal(state.said("a")?.standing, "gone");
    assert.deepEqual(state.expire(101_001, down).forgotten, ["a"]);
    assert.equal(state.said("a"), null);
  });

  test("is not learned of anew from those who forget it a little later", () => {
    const state = stateOf("b");
    state.receive(saying(item(note("a", 10), "gone", 60_000)), 0);
    assert.equal(state.said("a"), null);
    const question = { from: "c", ...claiming(note("a", 10), "gone", 60_000), wanted: [] };
    assert.deepEqual(state.answer(question, 0, nobody).wanted, []);
  });

  test("comes back in the incarnation of its next start, also when its clock was set back", () => {
    const [a, b] = [stateOf("a", 3), stateOf("b")];
    b.receive(saying(item(note("a", 10, { instance: "a0" }), "gone")), 0);
    const fresh = a.publish(note("a", 0));
    assert.equal(b.heard(fresh, 1), true, "it must hear that it is gone");
    a.receive({ digests: b.digests(1, nobody), items: [] }, 1);
    assert.equal(a.stamp.incarnation, 11);
    assert.equal(b.heard(a.publish(note("a", 0)), 2), false);
    assert.equal(b.said("a")?.standing, "alive");
  });
});

describe("an id that two processes use", () => {
  test("is found when they keep outbidding each other, and the bidding ends", () => {
    const [one, two] = [stateOf("a"), new GossipState<Note>({ id: "a", instance: "a2", incarnation: 10 }, LIMITS)];
    let copied = false;
    for (let round = 0; round < 30; round += 1) {
      copied ||= one.receive(saying(item(two.publish(note("a", 0)))), round).copied;
      two.receive(saying(item(one.publish(note("a", 0)))), round);
    }
    assert.equal(copied, true);
    assert.ok(one.stamp.incarnation < 40, `${one.stamp.incarnation}`);
    const before = one.stamp.incarnation;
    one.receive(saying(item(two.publish(note("a", 0)))), 99);
    assert.equal(one.stamp.incarnation, before);
  });

  test("is not suspected of a process that has ended", () => {
    const state = stateOf("a", 3);
    const received = state.receive(saying(item(note("a", 10, { instance: "a0" }))), 0);
    assert.deepEqual([received.copied, received.contradicted], [false, true]);
    assert.equal(state.said("a"), null, "nobody's word about this node is kept");
  });

  test("cannot be driven beyond the numbers that are exact", () => {
    const state = stateOf();
    state.receive(claiming(note("a", MAX_INCARNATION, { instance: "liar" }), "gone"), 0);
    assert.equal(state.stamp.incarnation, 10);
    state.receive(claiming(note("a", MAX_INCARNATION - 1, { instance: "liar" }), "gone"), 0);
    assert.equal(state.stamp.incarnation, MAX_INCARNATION);
  });
});

describe("gossip", () => {
  test("sends only what the other lacks, and asks for what it has more of", () => {
    const [a, b] = [stateOf("a", 10, { mostNodes: 9 }), stateOf("b", 10, { mostNodes: 9 })];
    a.publish(note("a", 0));
    b.publish(note("b", 0));
    for (const state of [a, b]) state.heard(note("both", 1), 0);
    a.heard(note("new", 1), 0);
    b.heard(note("newer", 2), 0);
    a.heard(note("newer", 1), 0);
    b.suspect("both", 0);
    const question = { from: "a", digests: a.digests(0, nobody), items: [], wanted: [] };
    b.receive(question, 0);
    const answer = b.answer(question, 0, nobody);
    assert.deepEqual(answer.items.map(({ record }) => record.id).sort(), ["b", "newer"]);
    assert.deepEqual([...answer.wanted].sort(), ["a", "new"]);
    assert.deepEqual(
      answer.digests?.map(({ id, standing }) => [id, standing]),
      [["both", "suspect"]],
    );
    a.receive(answer, 0);
    b.receive(saying(...a.items(answer.wanted, 0)), 0);
    const known = (state: GossipState<Note>) => [...state.digests(0, nobody)].sort((x, y) => (x.id < y.id ? -1 : 1));
    assert.deepEqual(
      known(a).map(({ heard, ...digest }) => digest),
      known(b).map(({ heard, ...digest }) => digest),
    );
  });

  test("does not repeat records that the other gets from the node itself", () => {
    const b = stateOf("b");
    b.heard(note("c", 1, { revision: 7 }), 0);
    const asked = (heard: boolean) =>
      b.answer({ from: "a", digests: [digestOf(note("c", 1), "alive", 0, heard)], items: [], wanted: [] }, 0, nobody);
    assert.equal(asked(true).items.length, 0);
    assert.equal(asked(false).items.length, 1);
  });

  test("stays within its size, and all records get their turn", () => {
    const state = stateOf("a", 10, { mostNodes: 20, messageBytes: 1000 });
    const ids = Array.from({ length: 10 }, (_, index) => `n${index}`);
    for (const id of ids) state.heard(note(id, 1, { text: "x".repeat(300) }), 0);
    const sent = new Set<string>();
    for (let message = 0; message < 10; message += 1) {
      const items = state.items(ids, 0);
      assert.ok(items.length >= 1 && items.length <= 3, `${items.length} records`);
      for (const { record } of items) sent.add(record.id);
    }
    assert.equal(sent.size, ids.length);
    state.heard(note("n0", 1, { revision: 2, text: "x".repeat(5000) }), 0);
    assert.equal(state.items(["n0"], 0).length, 1, "one that is larger than a message goes alone");
  });

  test("of more nodes than there is room for drops those that are gone, and refuses beyond that", () => {
    const state = stateOf("b");
    state.receive(saying(item(note("old", 1), "gone", 500), item(note("x", 1)), item(note("y", 1))), 1000);
    assert.deepEqual(state.receive(saying(item(note("z", 1))), 1000).refused, []);
    assert.equal(state.said("old"), null);
    assert.deepEqual(state.receive(saying(item(note("more", 1))), 1000).refused, ["more"]);
    assert.equal(state.said("x")?.standing, "alive");
  });
});
